"""Which systemd units have failed, asked of systemd over the bus."""

from __future__ import annotations

import os

from .dbus import (
    SYSTEM_BUS,
    BusClosedError,
    BusError,
    Message,
    Method,
    Reader,
    call,
    render_strings,
)
from .files import read_text

BUS_TIMEOUT = 2.0  # systemd answers in 1 ms; during a daemon-reload of 1000 units in 2 s

LIST_UNITS = Method(
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
    "ListUnitsByPatterns",
)


def read_failed_units(address: str = SYSTEM_BUS, run_root: str = "/run") -> list[str] | None:
    """Return the names of all failed units, sorted; None where systemd does not run.

    Raises BusError when systemd cannot be asked.
    """
    if not os.path.isdir(f"{run_root}/systemd/system"):  # noqa: PTH112 (sd_booted(3); no pathlib)
        return None
    # (states, patterns): of all units those that are in the state failed.
    body = render_strings(("failed",))
    body += b"\0" * (-len(body) % 4) + render_strings(())
    try:
        return parse_units(call(LIST_UNITS, "asas", body, address, BUS_TIMEOUT))
    except BusClosedError as error:
        if is_listed(os.getuid(), read_text("/etc/passwd") or ""):
            raise
        # https://github.com/systemd/systemd/issues/22737
        raise BusError(
            f"{error}: dbus-daemon serves only users of /etc/passwd, and this agent's is dynamic;"
            ' see "Failed units" in the README of hostwatch'
        ) from error


def is_listed(uid: int, passwd: str) -> bool:
    """Tell whether the text of /etc/passwd has the user."""
    return any(line.split(":")[2:3] == [str(uid)] for line in passwd.splitlines())


def parse_units(reply: Message) -> list[str]:
    """Read the unit names of a reply of type a(ssssssouso), sorted."""
    reader = Reader(reply.body, reply.order)
    reader.number()
    reader.align(8)
    names = []
    while not reader.at_end:
        reader.align(8)
        names.append(reader.text())
        for _ in range(6):  # description, load, active and sub state, followed unit, path
            reader.text()
        reader.number()  # job
        reader.text()  # its type
        reader.text()  # its path
    return sorted(names)
