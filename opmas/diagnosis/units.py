"""What systemd has: the units of OPMAS as they are loaded, and their files."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import unit_name
from opmas.diagnosis.files import unit_files
from opmas.diagnosis.programs import ask

if TYPE_CHECKING:
    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

LIMIT: Final = 3 * 1024 * 1024  # bytes
FILES: Final = 900_000  # characters of all unit files
AGENT: Final = "opmas-agent@"
SHOWN: Final = 100  # agents in full: systemctl takes up to 10 ms for each, and systemd as much
BATCH: Final = 20
ENOUGH: Final = 0.4  # seconds for a batch
WAIT: Final = 0.2  # seconds for the manager to say who is not well
# What is read again and again, of 250; a service's whole list is 9 KiB.
PROPERTIES: Final = (
    "Id,Description,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,DropInPaths,"
    "FragmentPath,Slice,ControlGroup,InvocationID,MainPID,NRestarts,StatusText,StatusErrno,"
    "ExecMainStartTimestamp,ExecMainExitTimestamp,ExecMainCode,ExecMainStatus,ActiveEnterTimestamp,"
    "InactiveEnterTimestamp,StateChangeTimestamp,MemoryCurrent,MemoryPeak,MemoryMax,MemoryHigh,"
    "CPUUsageNSec,CPUQuotaPerSecUSec,CPUWeight,TasksCurrent,TasksMax,IOWeight,IOReadBytes,IOWriteBytes,"
    "WatchdogUSec,WatchdogTimestamp,Restart,RestartUSec,StartLimitBurst,StartLimitIntervalUSec,"
    "TimeoutStartUSec,TimeoutStopUSec,Environment,LoadError,Job,OOMPolicy,Type"
)


def gather(scene: Scene, out: Outcome) -> None:
    """Gather what is loaded, first in short, then unit by unit."""
    begin = time.monotonic()
    answer = ask(
        ["systemctl", "show", "--property=Version,NNames,NJobs,SystemState"], out.until, LIMIT
    )
    out.took("systemd's round trip", time.monotonic() - begin)
    if answer.problem:
        out.problem(answer.problem)
    units = _listed(out)
    out.board.put("units", units)
    out.add("units/systemd.json", properties(answer.text))
    if units is not None:
        out.add("units/list.jsonl", units)
        _shown(scene, units, out)


def gather_files(scene: Scene, out: Outcome) -> None:
    """Gather the unit files and drop-ins, as they are on the disk."""
    taken = 0
    left_out = 0
    for path, text in unit_files(scene, out.board).items():
        taken += len(text)
        if taken > FILES:
            left_out += 1
        else:
            out.add(f"units/files/{path.relative_to(scene.root)}", text)
    if left_out:
        out.problem(f"{left_out} unit files are left out: there are too many")


def properties(text: str) -> dict[str, str]:
    """Return one unit's properties as `systemctl show` prints them."""
    pairs = (line.partition("=") for line in text.splitlines() if line)
    return {name: value for name, equals, value in pairs if equals}


def _listed(out: Outcome) -> list[dict[str, Any]] | None:
    argv = ["systemctl", "list-units", "--all", "--full", "--output=json", "opmas*"]
    begin = time.monotonic()
    answer = ask(argv, out.until, LIMIT)
    out.took("systemctl list-units", time.monotonic() - begin)
    if answer.problem:
        out.problem(answer.problem)
    try:
        found: list[dict[str, Any]] = json.loads(answer.text)
    except ValueError:
        return None
    return found


def _shown(scene: Scene, units: list[dict[str, Any]], out: Outcome) -> None:
    """Show our own units in full, then agents: those asked for and not well before the others."""
    loaded = [str(unit.get("unit", "")) for unit in units]
    own = [name for name in loaded if not name.startswith(AGENT)]
    out.add("units/show.jsonl", _show(own, out))
    wanted = [*scene.names, *(out.board.get("unwell", WAIT) or ()), *failed_agents(units)]
    first = [name for name in dict.fromkeys(map(unit_name, wanted)) if name in loaded]
    agents = list(dict.fromkeys([*first, *(n for n in loaded if n.startswith(AGENT))]))
    found: list[dict[str, str]] = []
    for at in range(0, min(len(agents), SHOWN), BATCH):
        if out.left < ENOUGH:
            break
        found += _show(agents[at : at + BATCH], out)
    if len(found) < len(agents):
        out.problem(f"{len(agents) - len(found)} of {len(agents)} agents' units are in short only")
    out.add("units/agents.jsonl", found)


def failed_agents(units: list[dict[str, Any]] | None) -> list[str]:
    """Return the agents whose unit is not active."""
    return [
        str(unit["unit"]).removeprefix(AGENT).removesuffix(".service")
        for unit in units or ()
        if str(unit.get("unit", "")).startswith(AGENT) and unit.get("active") != "active"
    ]


def _show(names: list[str], out: Outcome) -> list[dict[str, str]]:
    """Return the properties of units that are loaded: naming another instance would load it."""
    if not names:
        return []
    answer = ask(["systemctl", "show", f"--property={PROPERTIES}", *names], out.until, LIMIT)
    if answer.problem:
        out.problem(answer.problem)
    return [properties(block) for block in answer.text.split("\n\n") if block.strip()]
