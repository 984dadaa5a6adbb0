"""What is gathered about an agent while a change of it is watched.

A `Watch` holds running figures, bounded, so that it can be saved with the change; `take` adds one
sighting. Instants are the machine's monotonic time: in another boot it goes on as `rebooted`.
"""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.cause import Cause
from opmas.core.change.sighting import Baseline, Sighting, baseline
from opmas.core.change.surroundings import OUTSIDE_STATUSES, Surroundings, is_outside, troubles
from opmas.core.unit import exits
from opmas.core.unit.state import UnitState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Baseline",
    "Sighting",
    "Surroundings",
    "Watch",
    "baseline",
    "begin",
    "dump_watch",
    "load_watch",
    "rebooted",
    "take",
]

EARLY: Final = 3.0  # seconds after it came up in which an exit is still one of its start
WARM_UP: Final = 5.0  # seconds after it came up that say nothing of its CPU and memory
SLICE: Final = 10.0  # seconds between two samples
MOST_SLICES: Final = 8
MOST_EXITS: Final = 16
MOST_TROUBLES: Final = 16  # more than there are causes of them
PACE: Final = 1.0  # seconds over which its present CPU rate is taken
BUSY: Final = 0.5  # CPUs; an agent that uses so many, and did not before, loads the host itself
MEMORY_MARK: Final = 0.7  # of its limit; MemoryHigh= is at 75 % where nothing else is said
TROUBLE_GAP: Final = 30.0  # seconds; what a trouble broke shows, or is felt, for so long after it
# Why an agent goes down that somebody told to.
ASKED: Final = frozenset({Reason.REQUESTED, Reason.CHANGE, Reason.SYSTEMCTL, Reason.HELD})
# The Result property, org.freedesktop.systemd1(5).
RESULTS: Final[Mapping[str, Cause]] = {
    "watchdog": Cause.HUNG,
    "oom-kill": Cause.OUT_OF_MEMORY,
    "protocol": Cause.FAILED_TO_START,
    "resources": Cause.FAILED_TO_START,
    "start-limit-hit": Cause.CRASH_LOOP,
}
# Signals that come from others: an admin, another program. A fault of its own ends a program with
# SIGSEGV, SIGABRT and their like.
SENT: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM})
NUMBERS: Final = {name: number for number, name in exits.CODES.items()}


@dataclass(frozen=True, slots=True)
class Exit:
    """The agent's process ended, and nobody had asked for that."""

    at: float
    cause: Cause
    words: str  # like `exited with status 1`
    early: bool  # before it was up for EARLY
    sent: bool = False  # by a signal that others send: an admin's kill -9
    outside: bool = False  # its status says that something outside is away
    own: tuple[Cause, ...] = ()  # troubles of the host that were its own doing


@dataclass(frozen=True, slots=True)
class Slice:
    """The figures of one run at one instant."""

    at: float
    cpu_seconds: float | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something around the agent was wrong for a while."""

    cause: Cause
    sentence: str
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What was gathered since the change; `take` adds to it."""

    baseline: Baseline
    began: Sighting  # the last one before the change
    last: Sighting
    first_up: Sighting | None = None
    up_at: float | None = None  # since when this run serves
    exits: tuple[Exit, ...] = ()  # the last ones
    exits_seen: int = 0
    restarts: int = 0
    oom_kills: int = 0
    errors: int = 0
    first_error_at: float | None = None
    last_error_at: float | None = None
    progress_at: float | None = None
    unwell_since: float | None = None  # not healthy
    unhealthy_since: float | None = None
    stuck_since: float | None = None  # it says itself, while it starts, what is wrong with it
    memory_peak: int | None = None
    throttled_at: float | None = None
    pace: float | None = None  # CPUs, over the last second or more
    paced: Slice | None = None
    slices: tuple[Slice, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def begin(base: Baseline, sighting: Sighting) -> Watch:
    """Return a watch that begins with `sighting`: the last before the new version is started.

    What is in it already, an exit of the version before or a restart, is not held against the
    change.
    """
    up_at = sighting.since if sighting.is_up else None
    return Watch(base, sighting, sighting, up_at=up_at, progress_at=sighting.at)


def rebooted(watch: Watch, now: float) -> Watch:
    """Return the watch as it goes on in another boot: instants and runs begin anew."""
    down = replace(
        watch.last,
        at=now,
        since=now,
        phase=Phase.STOPPED,
        reason=Reason.BOOT,
        health=Health.UNKNOWN,
        invocation="",
        restarts=0,
        errors=None,
    )
    return begin(watch.baseline, down)


def take(watch: Watch, sighting: Sighting, around: Surroundings | None = None) -> Watch:
    """Return the watch with one more sighting, and what was around the agent then.

    The same sighting again adds nothing, and one from before the last neither.
    """
    if sighting.at < watch.last.at:
        return watch
    watch = _with_exits(watch, sighting)
    watch = _with_counts(watch, sighting)
    watch = _with_state(watch, sighting)
    watch = _with_figures(watch, sighting)
    watch = _with_troubles(watch, sighting, around)
    return replace(watch, last=sighting)


def _with_exits(watch: Watch, now: Sighting) -> Watch:
    last = watch.last
    again = now.restarts - last.restarts
    again = now.restarts if again < 0 else again  # counted anew: somebody started it
    restarts = watch.restarts + again
    edge = now.exit_at not in {0.0, last.exit_at}
    # What ends while it comes up goes through `stopping` too, and nobody asked for it.
    asked = again == 0 and watch.up_at is not None and _was_asked(last, now)
    if edge and asked and now.result != "timeout":
        return replace(
            watch, restarts=restarts
        )  # how it ends when it is told to is its own affair
    # One exit shows as an edge, as a restart, or as both, one after the other.
    seen = watch.exits_seen + int(edge)
    missed = max(restarts - seen, 0)
    found = (_exit(watch, now),) * min(int(edge) + missed, MOST_EXITS)
    return replace(
        watch,
        restarts=restarts,
        exits_seen=seen + missed,
        exits=(*watch.exits, *found)[-MOST_EXITS:],
    )


def _was_asked(last: Sighting, now: Sighting) -> bool:
    """Return whether it went down because somebody wanted that: a stop, or a restart."""
    if last.phase is Phase.STOPPING and last.reason in ASKED:
        return True
    return last.is_up and not now.is_up and now.reason in ASKED


def _exit(watch: Watch, now: Sighting) -> Exit:
    early = watch.up_at is None or now.at - watch.up_at < EARLY
    cause = RESULTS.get(now.result, Cause.EXITED)
    killer = now.exit_code in {"killed", "dumped"}
    status = now.exit_status or 0
    if now.result == "timeout":
        cause = Cause.START_TIMEOUT if watch.up_at is None else Cause.STOP_IGNORED
    elif now.exit_code == "exited" and status == exits.EXIT_CONFIG:
        cause = Cause.CONFIG_ERROR
    elif killer and _more(watch.last.oom_kills, now.oom_kills):
        cause = Cause.OUT_OF_MEMORY
    unit = UnitState("", exec_main_code=NUMBERS.get(now.exit_code, 0), exec_main_status=status)
    return Exit(
        at=now.at,
        cause=cause,
        words=f"{exits.exit_text(unit)} ({now.result})" if now.exit_code else "could not start",
        early=early,
        sent=killer and status in SENT and cause is Cause.EXITED,
        outside=now.exit_code == "exited" and status in OUTSIDE_STATUSES,
        own=own_doing(watch, now),
    )


def _with_counts(watch: Watch, now: Sighting) -> Watch:
    last = watch.last
    errors = _more(last.errors, now.errors)
    if errors:
        watch = replace(
            watch,
            errors=watch.errors + errors,
            first_error_at=now.at if watch.first_error_at is None else watch.first_error_at,
            last_error_at=now.at,
        )
    fresh = now.invocation != last.invocation  # the control group is a new one, too
    kills = _more(0 if fresh else last.oom_kills, now.oom_kills)
    throttled = _more(0 if fresh else last.throttled, now.throttled)
    if throttled:
        watch = replace(watch, throttled_at=now.at)
    if now.progress != last.progress or fresh:
        watch = replace(watch, progress_at=now.at)
    return replace(watch, oom_kills=watch.oom_kills + kills)


def _with_state(watch: Watch, now: Sighting) -> Watch:
    fresh = now.invocation != watch.last.invocation
    up_at: float | None = None if fresh else watch.up_at
    if now.is_up:
        up_at = _since(up_at, now.since)
    elif now.phase is not Phase.STOPPING:
        up_at = None
    unwell = now.is_up and now.health in {Health.DEGRADED, Health.UNHEALTHY}
    unhealthy = now.is_up and now.health is Health.UNHEALTHY
    stuck = now.phase is Phase.STARTING and bool(now.codes) and not is_outside(now.codes)
    return replace(
        watch,
        first_up=watch.first_up or (now if now.is_up else None),
        up_at=up_at,
        unwell_since=_since(watch.unwell_since, now.at) if unwell else None,
        unhealthy_since=_since(watch.unhealthy_since, now.at) if unhealthy else None,
        stuck_since=_since(watch.stuck_since, now.at) if stuck else None,
    )


def _with_figures(watch: Watch, now: Sighting) -> Watch:
    """Return the watch with its samples of CPU and memory, those of this run only."""
    known = [size for size in (watch.memory_peak, now.memory_bytes) if size is not None]
    watch = replace(watch, memory_peak=max(known, default=None))
    sample = Slice(now.at, now.cpu_seconds, now.memory_bytes)
    up_at = watch.up_at
    if up_at is None:
        return replace(watch, slices=(), paced=sample, pace=None)
    if now.invocation != watch.last.invocation:
        watch = replace(watch, slices=(), paced=sample, pace=None)
    if watch.paced is None or now.at - watch.paced.at >= PACE:
        pace = None if watch.paced is None else cpu_rate(watch.paced, sample)
        watch = replace(watch, pace=pace, paced=sample)
    warm = max(up_at, watch.began.at) + WARM_UP
    due = not watch.slices or now.at - watch.slices[-1].at >= SLICE
    if now.at < warm or not due:
        return watch
    return replace(watch, slices=(*watch.slices, sample)[-MOST_SLICES:])


def cpu_rate(before: Slice, after: Slice) -> float | None:
    """Return the CPUs used between two samples of one run, or None when they do not tell."""
    if before.cpu_seconds is None or after.cpu_seconds is None or after.at <= before.at:
        return None
    used = after.cpu_seconds - before.cpu_seconds
    return used / (after.at - before.at) if used >= 0 else None


def _with_troubles(watch: Watch, now: Sighting, around: Surroundings | None) -> Watch:
    found = dict(() if around is None else troubles(around))
    if is_outside(now.codes):
        found[Cause.OUTSIDE_SERVER] = f"It says so itself: {', '.join(now.codes)}."
    for cause, sentence in found.items():
        watch = replace(watch, troubles=_noted(watch.troubles, cause, sentence, now.at))
    return watch


def _noted(
    known: tuple[Trouble, ...], cause: Cause, sentence: str, at: float
) -> tuple[Trouble, ...]:
    """Return the troubles with this one: as the latest part of one that is known, or anew."""
    for trouble in known:
        if trouble.cause is cause and at - trouble.last_at <= TROUBLE_GAP:
            others = tuple(each for each in known if each is not trouble)
            return (*others, replace(trouble, sentence=sentence, last_at=at))
    return _joined((*known, Trouble(cause, sentence, at, at)))


def _joined(known: tuple[Trouble, ...]) -> tuple[Trouble, ...]:
    """Return the troubles, not too many: the oldest that has a like is joined with the next of it.

    None is dropped, or what it broke would be held against the agent.
    """
    if len(known) <= MOST_TROUBLES:
        return known
    causes = [each.cause for each in known]
    first = next(i for i, cause in enumerate(causes) if cause in causes[i + 1 :])
    second = causes.index(causes[first], first + 1)
    whole = replace(known[second], first_at=known[first].first_at)
    return (*known[:first], *known[first + 1 : second], whole, *known[second + 1 :])


def own_doing(watch: Watch, now: Sighting) -> tuple[Cause, ...]:
    """Return the troubles of the host that the agent itself makes, and did not before."""
    found = []
    if watch.pace is not None and watch.pace - (watch.baseline.cpu_rate or 0.0) >= BUSY:
        found.append(Cause.HOST_OVERLOADED)
    throttled = watch.throttled_at is not None and now.at - watch.throttled_at <= TROUBLE_GAP
    peak, limit = watch.memory_peak, now.memory_max
    near = peak is not None and limit is not None and peak >= MEMORY_MARK * limit
    if throttled or near:  # its own stalls are among those of the host
        found.append(Cause.HOST_MEMORY)
    return tuple(found)


def _more(before: int | None, after: int | None) -> int:
    """Return how much a counter grew; one that is smaller began anew."""
    if before is None or after is None:
        return 0
    return after - before if after >= before else after


def _since(known: float | None, at: float) -> float:
    return at if known is None else known


def dump_watch(watch: Watch) -> dict[str, Any]:
    """Return the watch as a JSON object."""
    return asdict(watch)


def load_watch(saved: Mapping[str, Any]) -> Watch:
    """Return the watch that was saved."""
    first_up, paced = saved["first_up"], saved["paced"]
    parts: dict[str, Any] = {
        "baseline": Baseline(
            **{**saved["baseline"], "health": Health(saved["baseline"]["health"])}
        ),
        "began": _sighting(saved["began"]),
        "last": _sighting(saved["last"]),
        "first_up": None if first_up is None else _sighting(first_up),
        "exits": tuple(_load_exit(each) for each in saved["exits"]),
        "paced": None if paced is None else Slice(**paced),
        "slices": tuple(Slice(**each) for each in saved["slices"]),
        "troubles": tuple(Trouble(**{**t, "cause": Cause(t["cause"])}) for t in saved["troubles"]),
    }
    return Watch(**{**saved, **parts})


def _load_exit(saved: Mapping[str, Any]) -> Exit:
    own = tuple(Cause(each) for each in saved["own"])
    return Exit(**{**saved, "cause": Cause(saved["cause"]), "own": own})


def _sighting(saved: Mapping[str, Any]) -> Sighting:
    parts: dict[str, Any] = {
        "phase": Phase(saved["phase"]),
        "reason": Reason(saved["reason"]),
        "health": Health(saved["health"]),
        "desired": Desired(saved["desired"]),
        "codes": tuple(saved["codes"]),
    }
    return Sighting(**{**saved, **parts})
