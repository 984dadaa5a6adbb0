"""dpkg, as the guard of an upgrade needs it: asked for versions, given .debs to install."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from opmas.rescue.systemd import call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DPKG: Final = "/usr/bin/dpkg"
QUERY: Final = "/usr/bin/dpkg-query"
DPKG_DEB: Final = "/usr/bin/dpkg-deb"
FRONTEND_LOCK: Final = Path("/var/lib/dpkg/lock-frontend")
SOURCE: Final = "opmas"
MAIN: Final = "opmas-manager"
RUN_LIMIT: Final = 900.0  # seconds; its scripts restart services and wait for them
# Nobody answers questions, and what was edited stays.
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "DPKG_FRONTEND_LOCKED": "1",
    "NEEDRESTART_MODE": "l",
}


class Package(NamedTuple):
    """An installed binary package: `status` is dpkg's, such as `installed` or `unpacked`."""

    name: str
    version: str
    architecture: str
    status: str


def packages() -> dict[str, Package]:
    """Return what is on the host of the packages that OPMAS's source makes."""
    form = "${Package}\\t${Version}\\t${Architecture}\\t${db:Status-Status}\\t${source:Package}\\n"
    code, said = call(QUERY, "--show", f"--showformat={form}", "*opmas*")
    return {} if code else parse_packages(said)


def parse_packages(text: str) -> dict[str, Package]:
    """Return the packages of the source, in what dpkg-query printed."""
    found = {}
    for line in text.splitlines():
        row = line.split("\t")
        if len(row) == 5 and row[4] == SOURCE and row[3] not in {"not-installed", "config-files"}:  # noqa: PLR2004
            found[row[0]] = Package(*row[:4])
    return found


def is_newer(one: str, other: str) -> bool:
    """Return whether the first version is the newer one, as dpkg orders them."""
    return call(DPKG, "--compare-versions", one, "gt", other)[0] == 0


def is_deb_of(path: Path, package: Package) -> bool:
    """Return whether the .deb file is of that version of the package."""
    form = "--showformat=${Package}\\t${Version}\\t${Architecture}"
    code, said = call(DPKG_DEB, form, "--show", str(path))
    return code == 0 and said.strip() == "\t".join(package[:3])


@contextlib.contextmanager
def frontend_lock() -> Iterator[bool]:
    """Hold the lock that apt and dpkg take, if nobody has it; whether it is held."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(FRONTEND_LOCK, flags, 0o640)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def run(*argv: str) -> int:
    """Run dpkg with the lock held by the caller; what it says goes to the journal."""
    options = ("--force-confdef", "--force-confold", "--force-downgrade")
    try:
        with _let_finish():
            done = subprocess.run(
                [DPKG, *options, *argv],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                timeout=RUN_LIMIT,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return 127
    return done.returncode


@contextlib.contextmanager
def _let_finish() -> Iterator[None]:
    """Put off SIGTERM: systemd kills the dpkg that is left when the guard is gone."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if came:
            os.kill(os.getpid(), signal.SIGTERM)


def audit() -> str:
    """Return what `dpkg --audit` says; nothing when all is well."""
    return call(DPKG, "--audit")[1].strip()


def files_of(name: str) -> list[str]:
    """Return the paths that the package owns; diverted ones are told in other words."""
    code, said = call(QUERY, "--listfiles", name)
    rows = [] if code else said.splitlines()
    return [row for row in rows if row.startswith("/") and row != "/."]


def control_files(name: str) -> Sequence[Path]:
    """Return the files that dpkg keeps of the package's control part."""
    code, said = call(QUERY, "--control-path", name)
    return [] if code else [Path(row) for row in said.splitlines() if row.startswith("/")]


def stanza(name: str) -> str:
    """Return what dpkg has written of the package."""
    code, said = call(QUERY, "--status", name)
    return "" if code else said
