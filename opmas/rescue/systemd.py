"""systemd, asked and told with systemctl: units are shown and started here, and never stopped."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from opmas.rescue.judge import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ANSWERS_WITHIN: Final = 60.0
PROPERTIES: Final = (
    "Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "Job", "MainPID",
    "ExecMainCode", "ExecMainStatus", "NRestarts", "ExecMainExitTimestampMonotonic",
    "StateChangeTimestampMonotonic", "InactiveEnterTimestampMonotonic",
)  # fmt: skip
LINES: Final = 12
LINE_LENGTH: Final = 300


def call(*argv: str, limit: float = ANSWERS_WITHIN) -> tuple[int, str]:
    """Run a program, and return how it ended and all that it said; 127 when it did not end."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


class Systemd:
    """The system's manager."""

    def show(self, units: Sequence[str]) -> dict[str, Unit]:
        """Return how the units are; none when systemd does not answer."""
        if not units:
            return {}
        code, said = call(
            "/usr/bin/systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *units
        )
        return {} if code else {unit.name: unit for unit in parse_units(said)}

    def start(self, units: Sequence[str], limit: float) -> str:
        """Start the units, wait for them, and return what was said; nothing when all is well."""
        code, said = call("/usr/bin/systemctl", "start", "--", *units, limit=limit)
        return said.strip() if code else ""

    def start_later(self, unit: str) -> str:
        """Have the unit started, and return what was said against it."""
        code, said = call("/usr/bin/systemctl", "start", "--no-block", "--", unit)
        return said.strip() if code else ""

    def forgive(self, unit: str) -> None:
        """Have systemd forget that the unit failed, and how often it was started."""
        call("/usr/bin/systemctl", "reset-failed", "--", unit)

    def last_lines(self, unit: str) -> list[str]:
        """Return the end of the unit's journal."""
        code, said = call(
            "/usr/bin/journalctl", "--quiet", "--no-pager", "--output=cat", "--boot",
            f"--lines={LINES}", f"--unit={unit}",
        )  # fmt: skip
        return [] if code else [line[:LINE_LENGTH] for line in said.splitlines() if line.strip()]


def parse_units(text: str) -> Iterable[Unit]:
    """Yield the units of what `systemctl show` printed, with a blank line between two."""
    for block in text.split("\n\n"):
        values = dict(row.partition("=")[::2] for row in block.splitlines())
        if values.get("Id"):
            yield _unit(values)


def _unit(values: dict[str, str]) -> Unit:
    def number(key: str) -> int:
        text = values.get(key, "")
        return int(text) if text.isdigit() else 0

    def seconds(key: str) -> float:
        return number(f"{key}TimestampMonotonic") / 1_000_000

    return Unit(
        name=values["Id"],
        load=values.get("LoadState", ""),
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        enabled=values.get("UnitFileState", ""),
        has_job=values.get("Job", "") not in {"", "0"},
        pid=number("MainPID"),
        exit_code=number("ExecMainCode"),
        exit_status=number("ExecMainStatus"),
        restarts=number("NRestarts"),
        exited_at=seconds("ExecMainExit"),
        changed_at=seconds("StateChange"),
        went_down_at=seconds("InactiveEnter"),
    )
