"""What the rescue says of itself, for the time when there is no manager to ask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.rescue.documents import read_document
from opmas.rescue.places import RESCUE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = 3  # of the manager's journal: a traceback ends with what matters
TRY_NOW: Final = "systemctl reset-failed opmas-manager; systemctl start opmas-manager"


def find_rescue(socket: str, is_alive: Callable[[int], bool] | None = None) -> list[str]:
    """Return what the rescue does and why, in lines; none when it does not run.

    Its report is for root and the group opmas: for others it is as if there was none.
    """
    report = read_document(Path(socket).parent / RESCUE_FILE)
    if report is None:
        return []
    pid = report.get("pid")
    alive = is_alive or _is_alive
    return describe(report) if isinstance(pid, int) and alive(pid) else []


def describe(report: dict[str, Any]) -> list[str]:
    """Return the report in lines for people."""
    started = [_agent(unit) for unit in report.get("started") or ()]
    left = report.get("left") or {}
    since, message = report.get("since"), report.get("message")
    lines = [
        f"opmas-rescue runs since {since}: opmas-manager is down: {message}",
        f"it started {', '.join(started) if started else 'no agent: none had to be'}",
    ]
    lines += [f"it left {name} as it is: {reason}" for name, reason in left.items()]
    lines += [f"| {line}" for line in _telling(report.get("lines") or ())]
    lines.append(
        f"it tries the manager again at {report.get('next_attempt')}, or as soon as it was"
        f" changed; now: `{TRY_NOW}`"
    )
    return lines


def _telling(lines: Any) -> list[str]:
    """Return the last lines that the manager itself wrote."""
    own = [str(line) for line in lines if not str(line).startswith(_OF_SYSTEMD)]
    return own[-LINES:]


_OF_SYSTEMD: Final = (
    "opmas-manager.service:", "Start", "Stop", "Failed to start opmas-manager", "Finished",
)  # fmt: skip


def _agent(unit: object) -> str:
    return str(unit).removeprefix("opmas-agent@").removesuffix(".service")


def _is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110 -- `opmas` starts quickly
