"""What the rescue decides, from what systemd says of the units: pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

EX_CONFIG: Final = 78  # sysexits.h: the same start would end the same
EXITED: Final = 1  # CLD_EXITED of waitid(2)
# Pauses before the manager is tried again, in seconds: 1, 5, 15 minutes, then every half hour.
# What is mended by hand is seen at once, see loop.py.
PAUSES: Final = (60.0, 300.0, 900.0, 1800.0)
# A unit that is told to stop fails at the moment when its process ends, and that is all. One that
# is refused another start goes down first and fails then (systemd 252), after RestartSec= at that:
# 1 s for the manager, 0.1 s for agents.
REFUSED_AFTER: Final = 0.05
STEADY: Final = 60.0  # seconds up without a break: more than WatchdogSec= and TimeoutStopSec=


class Unit(NamedTuple):
    """What `systemctl show` says of a unit; times are seconds since boot, 0 for never."""

    name: str
    load: str = "loaded"
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    enabled: str = ""
    has_job: bool = False
    pid: int = 0
    exit_code: int = 0
    exit_status: int = 0
    restarts: int = 0
    exited_at: float = 0.0
    changed_at: float = 0.0
    went_down_at: float = 0.0


class Standing(Enum):
    """How the manager stands."""

    UP = "up"
    MOVES = "moves"  # it starts, stops, or systemd is about to start it again
    DOWN = "down"  # systemd has given it up
    STOPPED = "stopped"  # somebody wants it so


class Cause(Enum):
    """Why the manager is down; the words are for people."""

    CRASH_LOOP = "it failed again and again"
    SETTINGS = "it refuses its settings (status 78), which opmas.yaml(5) explains"
    START_LIMIT = "it was started too often within a short time"
    ASKED = "it was told to stop and did not end well"


class Known(NamedTuple):
    """An agent of the last-known-good set; `boot_id` of the boot in which it was seen running.

    `paused` says that a change held it down, and had begun with its data or its version.
    """

    name: str
    unit: str
    boot_id: str = ""
    version: str = ""
    paused: str = ""


def stand(unit: Unit) -> Standing:
    """Return how the manager stands; a stop by hand that ended badly is still a stop."""
    if unit.has_job or unit.active in {"activating", "deactivating"}:
        return Standing.MOVES
    if unit.active in {"active", "reloading", "refreshing"}:
        return Standing.UP
    if unit.active != "failed" or unit.load != "loaded" or cause_of(unit) is Cause.ASKED:
        return Standing.STOPPED
    return Standing.DOWN


def cause_of(unit: Unit) -> Cause:
    """Return why the failed manager is down."""
    if unit.result == "start-limit-hit":
        return Cause.START_LIMIT
    if (unit.exit_code, unit.exit_status) == (EXITED, EX_CONFIG):
        return Cause.SETTINGS
    return Cause.CRASH_LOOP if was_given_up(unit) else Cause.ASKED


def was_given_up(unit: Unit) -> bool:
    """Return whether systemd refused the failed unit another start: nobody stopped it."""
    if unit.result == "start-limit-hit" or not unit.exited_at:
        return True
    return unit.changed_at > unit.went_down_at or unit.changed_at - unit.exited_at >= REFUSED_AFTER


def is_wanted(unit: Unit) -> bool:
    """Return whether the manager may be started again: it was neither disabled nor masked."""
    return unit.enabled not in {"disabled", "masked", "masked-runtime"}


def pause(attempt: int, cause: Cause) -> float:
    """Return how long to wait before the attempt, which counts from 1."""
    if attempt == 1 and cause is Cause.START_LIMIT:
        return 1.0  # its last end was a clean one: nothing is known to be wrong with it
    return PAUSES[min(attempt, len(PAUSES)) - 1]


def known_agents(document: Mapping[str, Any] | None) -> list[Known] | None:
    """Return the agents of last-good.json, in the order of their start; None without one."""
    rows = document.get("agents") if document else None
    if not isinstance(rows, list):
        return None
    found = [_known(row) for row in rows if isinstance(row, dict)]
    return [agent for agent in found if agent.name and _is_agent(agent.unit)]


def declared(name: str, document: Mapping[str, Any] | None, boot_id: str) -> Known | None:
    """Return the agent of an agent.json, when it is wanted to run."""
    spec = document.get("spec") if document else None
    if not isinstance(spec, dict) or spec.get("desired") != "running":
        return None
    return Known(name, f"opmas-agent@{name}.service", boot_id)


def plan(
    agents: Sequence[Known],
    units: Mapping[str, Unit],
    has_drop_in: Callable[[str], bool],
    boot_id: str,
    started: Collection[str],
) -> tuple[list[str], dict[str, str]]:
    """Return the units to start, in order, and why the others that are down are left alone.

    `started` are those that the rescue has started in this boot.
    """
    wanted, left = [], {}
    for agent in agents:
        unit = units.get(agent.unit)
        if unit is None or unit.has_job or unit.active not in {"inactive", "failed"}:
            continue
        if not has_drop_in(agent.unit):
            left[agent.name] = "it is not declared any more"
            continue
        if agent.paused:
            left[agent.name] = "a change was at its data or its version"
            continue
        ran = agent.boot_id == boot_id or agent.unit in started or bool(unit.went_down_at)
        reason = _why_left(unit, ran=ran)
        if reason:
            left[agent.name] = reason
        else:
            wanted.append(agent.unit)
    return wanted, left


def _why_left(unit: Unit, *, ran: bool) -> str:
    if unit.load != "loaded":
        return f"its unit is {unit.load}"
    if unit.active == "failed":
        if (unit.exit_code, unit.exit_status) == (EXITED, EX_CONFIG):
            return "it refuses its configuration (status 78)"
        return "" if was_given_up(unit) else "it was stopped in this boot"
    return "it was stopped in this boot" if ran else ""


def _known(row: Mapping[str, Any]) -> Known:
    return Known(*(str(row.get(field, "")) for field in Known._fields))


def _is_agent(unit: str) -> bool:
    return unit.startswith("opmas-agent@") and unit.endswith(".service")
