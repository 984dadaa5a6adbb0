"""What systemd has: the units of OPMAS as they are loaded, and their files."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.diagnosis.programs import ask
from opmas.diagnosis.scene import read_text
from opmas.diagnosis.secrets import UNITS

if TYPE_CHECKING:
    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

LIMIT: Final = 3 * 1024 * 1024  # bytes
FILES: Final = 900_000  # characters of all unit files
AGENT: Final = "opmas-agent@"
# What is read again and again, of 250; a service's whole list is 9 KiB.
PROPERTIES: Final = (
    "Id,Description,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,DropInPaths,"
    "FragmentPath,Slice,ControlGroup,InvocationID,MainPID,NRestarts,StatusText,StatusErrno,"
    "ExecMainStartTimestamp,ExecMainExitTimestamp,ExecMainCode,ExecMainStatus,ActiveEnterTimestamp,"
    "InactiveEnterTimestamp,StateChangeTimestamp,MemoryCurrent,MemoryPeak,MemoryMax,MemoryHigh,"
    "CPUUsageNSec,CPUQuotaPerSecUSec,CPUWeight,TasksCurrent,TasksMax,IOReadBytes,IOWriteBytes,"
    "WatchdogUSec,WatchdogTimestamp,Restart,RestartUSec,StartLimitBurst,StartLimitIntervalUSec,"
    "TimeoutStartUSec,TimeoutStopUSec,Environment,LoadError,Job,OOMPolicy,Type"
)


def gather(_scene: Scene, out: Outcome) -> None:
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
    _shown(out)


def gather_files(scene: Scene, out: Outcome) -> None:
    """Gather the unit files and drop-ins, as they are on the disk."""
    taken = 0
    left_out = 0
    folders = dict.fromkeys((*UNITS, "/lib/systemd/system", scene.settings.manager.unit_dir))
    seen = set()
    for folder in folders:
        for path in sorted(scene.path(folder).glob("opmas*")):
            for file in sorted(path.glob("*")) if path.is_dir() else [path]:
                if file.resolve() in seen:
                    continue
                seen.add(file.resolve())
                if taken > FILES:
                    left_out += 1
                    continue
                with contextlib.suppress(OSError):
                    text = read_text(file)
                    taken += len(text)
                    out.add(f"units/files/{file.relative_to(scene.root)}", text)
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


def _shown(out: Outcome) -> None:
    argv = ["systemctl", "show", f"--property={PROPERTIES}"]
    # patterns match what is loaded only: naming an instance would load it
    own = ask([*argv, "opmas-*.service", "opmas*.slice", "opmas-*.socket"], out.until, LIMIT)
    if own.problem:
        out.problem(own.problem)
    blocks = [properties(block) for block in own.text.split("\n\n") if block.strip()]
    agents = [block for block in blocks if block.get("Id", "").startswith(AGENT)]
    out.board.put("shown", agents)
    out.add("units/show.jsonl", [block for block in blocks if block not in agents])
    out.add("units/agents.jsonl", agents)
