"""What is wrong with an agent after a change: one rule for each way to be worse.

A rule looks at what was gathered and returns a `Finding`, or None. Some hold at once, some only
when the window is over: what passes by itself must not undo a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.change.cause import EXCUSES, Cause
from opmas.core.change.evidence import MEMORY_MARK, SLICE, TROUBLE_GAP, Watch, cpu_rate, own_doing
from opmas.core.change.weight import HABIT, Weight, needed, too_many, weight
from opmas.core.unit.exits import EXIT_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opmas.core.change.evidence import Exit
    from opmas.core.change.sighting import Sighting

    Rule = Callable[["Scene"], "Finding | None"]

MIB: Final = 2**20
UNWELL: Final = 5.0  # seconds that bad health must last: shorter is a flicker
STUCK: Final = 8.0  # seconds in which it tries again and again to start
DEGRADED: Final = 30.0  # seconds, or half the window: degraded for so long at its end is worse
ERRORS: Final = 5  # fewer may be a coincidence
ERRORS_LAST: Final = 10.0  # seconds that errors must go on: a burst at the start is over by then
ERRORS_RECENT: Final = 30.0  # seconds, or half the window: errors that stopped before are over
CPU_MORE: Final = 0.2  # CPUs more than before; less is not worth a rollback
CPU_SLICES: Final = 6  # a minute of it is clear before the window is over
CPU_SLICES_AT_END: Final = 2
LEAK_FACTOR: Final = 2.0  # times the memory that it used before
LEAK_STEP: Final = 0.01  # of the limit, that a leak grows in each slice
LEAK_SLICES: Final = 3
LEAK_SOON: Final = 600.0  # seconds in which it would be at its limit
STALL: Final = 30.0  # seconds without progress
STALL_STEPS: Final = 5.0  # steps that it would have made meanwhile by its habit
GIVEN_UP: Final = frozenset({Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED})
# The veto of the SDK: the agent goes on with its old configuration.
REFUSED_CODE: Final = "config-refused"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule looks at."""

    watch: Watch
    now: Sighting
    elapsed: float
    window: float

    @property
    def is_over(self) -> bool:
        """Whether the window is over."""
        return self.elapsed >= self.window

    @property
    def expected(self) -> float:
        """How often it would end by itself in the window, by its habit before."""
        return self.watch.baseline.restarts_per_hour * self.window / 3600


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is worse than before, the facts, and what excuses it, if anything."""

    cause: Cause
    facts: tuple[str, ...]
    excuse: Cause | None = None


def findings(scene: Scene) -> list[Finding]:
    """Return what is wrong, the most telling first."""
    rules = AT_ONCE if not scene.is_over else (*AT_ONCE, *AT_THE_END)
    return [found for rule in rules if (found := rule(scene)) is not None]


def excuse_of(watch: Watch, cause: Cause, at: float, own: tuple[Cause, ...] = ()) -> Cause | None:
    """Return the trouble around the agent that may be the reason of what went wrong at `at`.

    What is its `own` doing is none.
    """
    there = {
        trouble.cause
        for trouble in watch.troubles
        if trouble.first_at - TROUBLE_GAP <= at <= trouble.last_at + TROUBLE_GAP
    }
    return next((each for each in EXCUSES[cause] if each in there and each not in own), None)


def _excuse_of_exit(watch: Watch, exited: Exit) -> Cause | None:
    if exited.outside:
        return Cause.OUTSIDE_SERVER
    if exited.cause is Cause.STOP_IGNORED and watch.began.result == "timeout":
        return Cause.WAS_FAILING  # the version before did not end either
    return excuse_of(watch, exited.cause, exited.at, exited.own)


def _exits(scene: Scene) -> Finding | None:
    watch = scene.watch
    excused = [(each, _excuse_of_exit(watch, each)) for each in watch.exits]
    counted = [each for each, excuse in excused if excuse is None]
    expected = scene.expected
    if too_many(counted, expected):
        return Finding(_cause(counted), _exit_facts(watch, counted))
    if not too_many(watch.exits, expected):
        return None
    excuse = next(excuse for _, excuse in reversed(excused) if excuse is not None)
    return Finding(_cause(watch.exits), _exit_facts(watch, watch.exits), excuse)


def _cause(exits: Sequence[Exit]) -> Cause:
    """Return what to call the exits by: the most telling of them."""
    first = min(exits, key=lambda each: tuple(Weight).index(weight(each)))
    if first.cause is not Cause.EXITED:
        return first.cause
    if all(each.early for each in exits):
        return Cause.FAILED_TO_START
    return Cause.EXITED if len(exits) == 1 else Cause.CRASH_LOOP


def _exit_facts(watch: Watch, exits: Sequence[Exit]) -> tuple[str, ...]:
    times = "once" if len(exits) == 1 else f"{len(exits)} times"
    before = watch.baseline.restarts_per_hour
    return (
        f"It ended {times} by itself: the last time it {exits[-1].words}.",
        f"Before the change: {f'{before:.2g} times an hour' if before else 'never'}.",
    )


def _given_up(scene: Scene) -> Finding | None:
    watch, now = scene.watch, scene.now
    ended = now.phase is Phase.STOPPED and now.reason is Reason.CLEAN_EXIT
    gone = now.phase is Phase.STOPPED and now.reason is Reason.PACKAGE_MISSING
    if not (now.phase in GIVEN_UP or ended or gone):
        return None
    facts = (f"It is {now.phase} ({now.reason}).",)
    if now.reason is Reason.EXIT_CONFIG:
        words = f"Status {EXIT_CONFIG} says that another start would end the same way."
        return _found(scene, Cause.CONFIG_ERROR, *facts, words)
    if watch.exits and not ended:
        return _by_exits(scene, _cause(watch.exits), *facts, *_exit_facts(watch, watch.exits))
    return _found(scene, Cause.EXITED if ended else Cause.FAILED_TO_START, *facts)


def _out_of_memory(scene: Scene) -> Finding | None:
    watch = scene.watch
    if watch.oom_kills < needed(Weight.PLAIN, scene.expected):
        return None
    return _found(
        scene,
        Cause.OUT_OF_MEMORY,
        f"The kernel killed {watch.oom_kills} of its processes for their memory.",
        _memory_fact(scene),
    )


def _refused(scene: Scene) -> Finding | None:
    if not scene.now.is_up or REFUSED_CODE not in scene.now.codes:
        return None
    words = "It says that it cannot use its configuration, and goes on with the one before."
    return _found(scene, Cause.CONFIG_ERROR, words)


def _stalled(scene: Scene) -> Finding | None:
    watch, now = scene.watch, scene.now
    habit = watch.baseline.progress_per_minute
    if habit is None or now.progress is None or watch.up_at is None or watch.progress_at is None:
        return None
    still = now.at - max(watch.progress_at, watch.up_at)
    if still < STALL or habit * still / 60 < STALL_STEPS:
        return None
    return _found(
        scene,
        Cause.HUNG,
        f"It made no progress for {still:.0f} s; before the change {habit:.0f} steps a minute.",
    )


def _stuck(scene: Scene) -> Finding | None:
    since = scene.watch.stuck_since
    if since is None or scene.now.at - since < STUCK:
        return None
    words = f"It says for {scene.now.at - since:.0f} s why it cannot start"
    return _found(scene, Cause.START_TIMEOUT, f"{words}: {_said(scene.now)}.")


def _unhealthy(scene: Scene) -> Finding | None:
    since = scene.watch.unhealthy_since
    if since is None or scene.now.at - since < UNWELL:
        return None
    return _found(scene, Cause.UNHEALTHY, *_health_facts(scene, since))


def _degraded(scene: Scene) -> Finding | None:
    since = scene.watch.unwell_since
    if since is None or scene.now.at - since < min(DEGRADED, scene.window / 2):
        return None
    return _found(scene, Cause.DEGRADED, *_health_facts(scene, since))


def _health_facts(scene: Scene, since: float) -> tuple[str, ...]:
    now, before = scene.now, scene.watch.baseline
    return (
        f"It is {now.health} for {now.at - since:.0f} s: {_said(now)}.",
        f"Before the change it was {before.health}, up for {before.up_seconds:.0f} s.",
    )


def _said(now: Sighting) -> str:
    return ", ".join(code for code in now.codes if code) or "without a code"


def _errors(scene: Scene) -> Finding | None:
    watch, now = scene.watch, scene.now
    first, last = watch.first_error_at, watch.last_error_at
    habit = watch.baseline.errors_per_minute
    if first is None or last is None or watch.errors < ERRORS:
        return None
    seconds = max(now.at - watch.began.at, scene.elapsed)  # also while siblings still come up
    if watch.errors <= HABIT * habit * seconds / 60:
        return None
    goes_on = last - first >= ERRORS_LAST and now.at - last < ERRORS_LAST
    recent = scene.is_over and now.at - last < min(ERRORS_RECENT, scene.window / 2)
    if not (goes_on or recent):
        return None
    return _found(
        scene,
        Cause.ERRORS,
        f"It sent {watch.errors} errors in {seconds:.0f} s;"
        f" before the change {habit:.2g} a minute.",
    )


def _cpu(scene: Scene) -> Finding | None:
    before = scene.watch.baseline.cpu_rate
    if before is None:
        return None
    limit = max(HABIT * before, before + CPU_MORE)
    wanted = CPU_SLICES_AT_END if scene.is_over else CPU_SLICES
    rates = _rates(scene)
    if scene.is_over:
        wanted = min(wanted, max(len(rates), 1))  # a short window has one
    lately = rates[-wanted:]
    if len(lately) < wanted or any(rate is None or rate < limit for rate in lately):
        return None
    shown = ", ".join(f"{rate:.0%}" for rate in lately if rate is not None)
    return _found(
        scene,
        Cause.CPU,
        f"It used {shown} of a CPU in the last stretches of {SLICE:.0f} s;"
        f" before the change {before:.0%}.",
    )


def _rates(scene: Scene) -> list[float | None]:
    return [cpu_rate(one, other) for one, other in pairwise(scene.watch.slices)]


def _leak(scene: Scene) -> Finding | None:
    """Memory above its mark, still growing, and far from what was used before."""
    held, before, limit = _memory(scene)
    if held is None or before is None or limit is None:
        return None
    if held < MEMORY_MARK * limit or held < LEAK_FACTOR * before:
        return None
    sizes = [each.memory_bytes for each in scene.watch.slices if each.memory_bytes is not None]
    throttled_at = scene.watch.throttled_at
    throttled = throttled_at is not None and scene.now.at - throttled_at < SLICE
    grows = len(sizes) > 1 and held - sizes[-2] >= LEAK_STEP * limit
    if not sizes or not (throttled or grows):
        return None
    return _found(scene, Cause.MEMORY_LEAK, _memory_fact(scene), "It still grows.")


def _slope(scene: Scene) -> Finding | None:
    """Memory that grew in every stretch, and would soon be at its limit."""
    held, before, limit = _memory(scene)
    sizes = [each.memory_bytes for each in scene.watch.slices][-LEAK_SLICES - 1 :]
    if held is None or before is None or limit is None or len(sizes) <= LEAK_SLICES:
        return None
    steps = [(b or 0) - (a or 0) for a, b in pairwise(sizes)]
    if held < LEAK_FACTOR * before or min(steps) < LEAK_STEP * limit:
        return None
    pace = sum(steps) / (len(steps) * SLICE)
    left = (limit - held) / pace
    if left > LEAK_SOON:
        return None
    return _found(
        scene,
        Cause.MEMORY_LEAK,
        _memory_fact(scene),
        f"It grew in every stretch of {SLICE:.0f} s, and would be at its limit in {left:.0f} s.",
    )


def _memory(scene: Scene) -> tuple[int | None, int | None, int | None]:
    """Return the memory it holds, held before, and may hold."""
    return scene.now.memory_bytes, scene.watch.baseline.memory_bytes, scene.now.memory_max


def _memory_fact(scene: Scene) -> str:
    held, before, limit = _memory(scene)
    peak = max(held or 0, scene.watch.memory_peak or 0)
    may = f" of {limit / MIB:.0f} MiB" if limit is not None else ""
    was = f"; before the change {before / MIB:.0f} MiB" if before is not None else ""
    return f"It held up to {peak / MIB:.0f} MiB{may}{was}."


def _not_up(scene: Scene) -> Finding | None:
    watch, now = scene.watch, scene.now
    # Somebody restarts it just now, when it was up before and nothing happened to it.
    restarted = watch.first_up is not None and not watch.exits
    if now.is_up or now.phase in GIVEN_UP or restarted:
        return None
    fact = f"It is {now.phase} after {scene.elapsed:.0f} s, and not up."
    if watch.exits:
        return _by_exits(scene, Cause.FAILED_TO_START, fact)
    starting = now.phase is Phase.STARTING
    return _found(scene, Cause.START_TIMEOUT if starting else Cause.FAILED_TO_START, fact)


def _by_exits(scene: Scene, cause: Cause, *facts: str) -> Finding:
    """Return what is wrong after exits: excused when each of them is."""
    excuses = [_excuse_of_exit(scene.watch, each) for each in scene.watch.exits]
    return Finding(cause, facts, excuses[-1] if all(excuses) else None)


def _found(scene: Scene, cause: Cause, *facts: str) -> Finding:
    """Return what is wrong now, with the trouble around the agent that may be the reason."""
    excuse = excuse_of(scene.watch, cause, scene.now.at, own_doing(scene.watch, scene.now))
    health = cause in {Cause.UNHEALTHY, Cause.DEGRADED}
    if health and scene.watch.baseline.health is not Health.HEALTHY:
        excuse = Cause.WAS_FAILING
    return Finding(cause, facts, excuse)


AT_ONCE: Final[tuple[Rule, ...]] = (
    _exits,
    _given_up,
    _out_of_memory,
    _refused,
    _stuck,
    _stalled,
    _unhealthy,
    _leak,
    _errors,
    _cpu,
)
AT_THE_END: Final[tuple[Rule, ...]] = (_not_up, _slope, _degraded)
