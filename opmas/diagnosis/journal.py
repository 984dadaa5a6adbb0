"""What the journal has of the manager, the API, the workers and the agents: the newest lines."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import unit_name
from opmas.diagnosis.programs import ask
from opmas.diagnosis.units import AGENT, failed_agents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

FIELDS: Final = "MESSAGE,PRIORITY,_PID,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_LINE_BREAK,_STREAM_ID"
LIMIT: Final = 4 * 1024 * 1024  # bytes of journalctl's JSON
LINE: Final = 2000  # characters of a message that are kept, once it is redacted
OTHERS: Final = (
    "opmas-package@*", "opmas-apt@*", "opmas-probe@*", "opmas-hook@*", "opmas-rescue*",
    "opmas-upgrade*",
)  # fmt: skip
ASKED_FOR: Final = 1000  # lines of an agent
NOT_WELL: Final = 300
UNWELL: Final = 12  # agents that get a file of their own
ENOUGH: Final = 0.5  # seconds for one of these
WAIT: Final = 0.8  # seconds for systemd to say what is loaded
SOON: Final = 0.2  # seconds more for the manager to say who is not well


def gather(scene: Scene, out: Outcome) -> None:
    """Gather the logs of the manager and the API, then of the workers."""
    for name, units, lines in (
        ("manager", ["opmas-manager.service"], 1500),
        ("api", ["opmas-api.service", "opmas-api.socket"], 500),
        ("others", list(OTHERS), 400),
    ):
        argv = [f"--unit={unit}" for unit in units]
        _add(scene, out, f"journal/{name}.log", argv, lines)


def gather_kernel(scene: Scene, out: Outcome) -> None:
    """Gather what the kernel said about memory."""
    _add(scene, out, "journal/kernel.log", ["--dmesg", "--grep=oom|out of memory|opmas"], 100)


def gather_agents(scene: Scene, out: Outcome) -> None:
    """Gather the agents' logs: of those asked for, of all together, of those not well."""
    _apart(scene, out, scene.names, ASKED_FOR)
    units = out.board.get("units", WAIT)
    # A pattern of units takes journalctl 5 s with 500 agents, their slice and systemd's own
    # lines 0.2 s.
    match = [f"_SYSTEMD_SLICE={name}" for name in _slices(units)]
    _add(scene, out, "journal/agents.log", [*match, "+", "_PID=1"], 4000, _is_of_agents)
    unwell: list[str] = out.board.get("unwell", SOON) or failed_agents(units)
    _apart(scene, out, [name for name in unwell if name not in scene.names][:UNWELL], NOT_WELL)


def _apart(scene: Scene, out: Outcome, names: Sequence[str], lines: int) -> None:
    for name in names:
        if out.left < ENOUGH:
            out.problem(f"no time for the log of {name} and those after it")
            return
        _add(scene, out, f"journal/agents/{name}.log", [f"--unit={unit_name(name)}"], lines)


def _slices(units: list[dict[str, Any]] | None) -> list[str]:
    names = [str(unit.get("unit", "")) for unit in units or ()]
    slices = [n for n in names if n.startswith("opmas-agents") and n.endswith(".slice")]
    return slices or ["opmas-agents.slice"]


def _is_of_agents(entry: dict[str, Any]) -> bool:
    own = str(entry.get("_SYSTEMD_UNIT", "")).startswith(AGENT)
    return own or str(entry.get("UNIT", "")).startswith(AGENT)


def _add(
    scene: Scene,
    out: Outcome,
    path: str,
    match: list[str],
    lines: int,
    wanted: Callable[[dict[str, Any]], bool] = bool,
) -> None:
    begin = time.monotonic()
    argv = ["journalctl", "--quiet", "--no-pager", "--output=json", f"--output-fields={FIELDS}"]
    argv += [f"--since=@{scene.since.timestamp():.0f}", f"--lines={lines}", "--reverse", *match]
    answer = ask(argv, out.until, LIMIT)
    out.took(f"journalctl for {path}", time.monotonic() - begin)
    # no line, or no unit that the pattern means
    nothing = not answer.text and answer.problem.endswith(("status 1", "No data available"))
    if answer.problem and not nothing:
        out.problem(answer.problem)
    text = render(filter(wanted, entries(answer.text)))
    if text:
        out.add(path, text)


def entries(text: str) -> list[dict[str, Any]]:
    """Return the entries that journalctl printed, the newest first, as the oldest first."""
    found = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found[::-1]


def render(found: Iterable[dict[str, Any]]) -> str:
    """Return a line for each entry; those into which journald broke a long one as one again."""
    lines: list[str] = []
    open_lines: dict[str, int] = {}  # stream -> the line that goes on
    for entry in found:
        stream = str(entry.get("_STREAM_ID", ""))
        message = _message(entry.get("MESSAGE"))
        if stream and stream in open_lines:
            lines[open_lines[stream]] += message
        else:
            lines.append(_head(entry) + message.replace("\n", "\n    "))
        if stream and entry.get("_LINE_BREAK") == "line-max":
            open_lines.setdefault(stream, len(lines) - 1)
        else:
            open_lines.pop(stream, None)
    return "\n".join(lines)


def _head(entry: dict[str, Any]) -> str:
    try:
        moment = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (KeyError, ValueError, OverflowError):
        at = "?"
    who = entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or "?"
    about = f" {entry['UNIT']}" if entry.get("UNIT") else ""
    return f"{at} {who}[{entry.get('_PID', '')}]{about} <{entry.get('PRIORITY', '')}> "


def _message(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return bytes(item & 255 for item in value).decode(errors="backslashreplace")
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "(a long message, left out)" if value is None else str(value)
