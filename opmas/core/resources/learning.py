"""What an agent was seen to need, kept small, and the limits that would fit it.

A `Sketch` is a histogram whose buckets grow by GROWTH, as Kubernetes' autoscaler keeps it: any
quantile is known to that factor, and it never has more than MOST buckets. What is added are the
highest figures of one window of time. Each window takes from the weight of those before, so that
old behaviour is forgotten: half of it after HALF_LIFE windows, all of it after some six times as
many. Time is counted in windows in which the agent ran, never by a clock, which may jump.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import Limits
from opmas.core.resources.limits import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = 300.0  # seconds
GROWTH: Final = 1.05
HALF_LIFE: Final = 864.0  # windows: three days
DECAY: Final = 0.5 ** (1 / HALF_LIFE)
FORGOTTEN: Final = 0.01  # a weight: reached after twenty days
MOST: Final = 96  # buckets: from 1 to 100 times the smallest figure
QUANTILE: Final = 0.99

MIB: Final = 1 << 20
LEAST: Final = Limits(memory_max=32 * MIB, tasks_max=16, cpu_quota=50)
SPARE_TASKS: Final = 4
MATERIAL: Final = 0.2  # of the limit that applies: a smaller difference is not worth a change
PATIENCE: Final = 2016  # windows, a week: what was undone is not tried again for so long


@dataclass(frozen=True, slots=True)
class Sketch:
    """How often a figure was how large: weights by the number of the bucket."""

    weights: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest figures of some time; `memory` in bytes, `cpu` in percent of one CPU."""

    memory: int | None = None
    tasks: int | None = None
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of one agent; `applied` are limits of its own that came from here."""

    memory: Sketch = field(default_factory=Sketch)  # in MiB
    tasks: Sketch = field(default_factory=Sketch)
    cpu: Sketch = field(default_factory=Sketch)
    windows: int = 0
    applied: Limits = NO_LIMITS
    tried: int | None = None  # the window in which limits were last set by themselves
    told: Limits = NO_LIMITS  # the proposal that was announced


NOTHING: Final = Learned()
NO_PEAK: Final = Peak()


def added(sketch: Sketch, value: float) -> Sketch:
    """Return the sketch with the figure of one more window."""
    faded = {bucket: weight * DECAY for bucket, weight in sketch.weights.items()}
    weights = {bucket: weight for bucket, weight in faded.items() if weight >= FORGOTTEN}
    number = _bucket(value)
    weights[number] = weights.get(number, 0.0) + 1.0
    if len(weights) > MOST:  # the smallest joins the next: never too low a quantile
        lowest, second = sorted(weights)[:2]
        weights[second] += weights.pop(lowest)
    return Sketch(weights)


def quantile(sketch: Sketch, share: float) -> float | None:
    """Return the figure that so large a share of the windows did not exceed."""
    missing = share * math.fsum(sketch.weights.values())
    for bucket in sorted(sketch.weights):
        missing -= sketch.weights[bucket]
        if missing <= 1e-9:  # noqa: PLR2004 -- what sums of floats are off by
            return GROWTH**bucket
    return most(sketch)


def most(sketch: Sketch) -> float | None:
    """Return the highest figure that is not forgotten."""
    return GROWTH ** max(sketch.weights) if sketch.weights else None


def _bucket(value: float) -> int:
    """Return the number of the bucket whose upper bound is the least above the figure."""
    return 0 if value <= 1 else math.ceil(math.log(value) / math.log(GROWTH) - 1e-9)


def higher(peak: Peak, other: Peak) -> Peak:
    """Return the highest of both."""
    return Peak(
        _higher(peak.memory, other.memory),
        _higher(peak.tasks, other.tasks),
        _higher(peak.cpu, other.cpu),
    )


def learn(learned: Learned, peak: Peak) -> Learned:
    """Return what is known after one more window."""
    memory, tasks, cpu = learned.memory, learned.tasks, learned.cpu
    return replace(
        learned,
        memory=memory if peak.memory is None else added(memory, peak.memory / MIB),
        tasks=tasks if peak.tasks is None else added(tasks, peak.tasks),
        cpu=cpu if peak.cpu is None else added(cpu, peak.cpu),
        windows=learned.windows + 1,
    )


def fitting(learned: Learned, used: Peak, head_room: int) -> Limits:
    """Return the limits that fit: the 99th percentile and `head_room` percent.

    Never below what is used now, nor below the highest memory and tasks that are remembered:
    what comes once a day is in no percentile, and a limit below it would kill once a day.
    """
    factor = 1 + head_room / 100
    memory = _need(learned.memory, factor, None if used.memory is None else used.memory / MIB)
    tasks = _need(learned.tasks, factor, used.tasks)
    cpu = quantile(learned.cpu, QUANTILE)
    highest = None if memory is None else _memory(memory * MIB)
    # slowed down in the upper half of the room only: not at what is normal
    mark = (200 + head_room) / (200 + 2 * head_room)
    return Limits(
        memory_max=highest,
        memory_high=None if highest is None else int(highest * mark),
        tasks_max=None if tasks is None else _tasks(tasks),
        cpu_quota=None if cpu is None else _quota(cpu * factor),
    )


def is_by_hand(name: str, own: Limits, learned: Learned) -> bool:
    """Return whether somebody set that limit of the agent."""
    value = getattr(own, name)
    return value is not None and value != getattr(learned.applied, name)


def proposal(
    fit: Limits, effective: Limits, own: Limits, learned: Learned, ceilings: Limits
) -> Limits:
    """Return what to change: nothing that is set by hand, or that is near enough already."""
    found: dict[str, int] = {}
    for name, value in asdict(fit).items():
        if value is None or is_by_hand(name, own, learned):
            continue
        ceiling = getattr(ceilings, name)
        wanted = value if ceiling is None else min(value, ceiling)
        if _differs(wanted, getattr(effective, name)):
            found[name] = wanted
    if "memory_max" in found and fit.memory_high and not is_by_hand("memory_high", own, learned):
        found["memory_high"] = min(fit.memory_high, found["memory_max"])
    else:  # it belongs to the other
        found.pop("memory_high", None)
    return Limits(**found)


def automatic(wanted: Limits, declared: Limits, ceilings: Limits) -> Limits:
    """Return what of a proposal may be set by itself.

    More than the package and the host declare only where the host has a ceiling: else a leak
    would be given more and more.
    """
    found: dict[str, int] = {}
    for name, value in asdict(wanted).items():
        if value is None:
            continue
        bound = None if getattr(ceilings, name) is not None else getattr(declared, name)
        found[name] = value if bound is None else min(value, bound)
    if "memory_max" in found and "memory_high" in found:
        found["memory_high"] = min(found["memory_high"], found["memory_max"])
    return Limits(**found)


def may_try(learned: Learned, own: Limits) -> bool:
    """Return whether limits may be set by themselves: not when the last were taken back lately."""
    if learned.tried is None or learned.applied == NO_LIMITS:
        return True
    in_force = all(
        value is None or getattr(own, name) == value
        for name, value in asdict(learned.applied).items()
    )
    return in_force or learned.windows - learned.tried >= PATIENCE


def is_news(told: Limits, wanted: Limits) -> bool:
    """Return whether a proposal is another than the one that was announced."""
    before, now = asdict(told), asdict(wanted)
    return any(
        value is not None and (before[name] is None or _differs(value, before[name]))
        for name, value in now.items()
    )


def window(hours: float) -> float:
    """Return the seconds of one window, where `hours` are enough: never more than all of them."""
    return min(WINDOW, hours * 3600)


def watched(learned: Learned, hours: float) -> float:
    """Return for how many seconds the agent was watched, where `hours` are enough."""
    return learned.windows * window(hours)


def has_enough(learned: Learned, hours: float) -> bool:
    """Return whether the agent was watched for long enough."""
    return watched(learned, hours) >= hours * 3600


def dump_learned(learned: Learned) -> dict[str, Any]:
    """Return it as a JSON object."""
    sketches = {name: getattr(learned, name).weights for name in _SKETCHES}
    return {
        **{name: [[b, round(w, 4)] for b, w in each.items()] for name, each in sketches.items()},
        "windows": learned.windows,
        "applied": asdict(learned.applied),
        "tried": learned.tried,
        "told": asdict(learned.told),
    }


def load_learned(saved: Mapping[str, Any]) -> Learned:
    """Return what was saved; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    sketches = {
        name: Sketch({int(bucket): float(weight) for bucket, weight in saved[name]})
        for name in _SKETCHES
    }
    return Learned(
        **sketches,
        windows=int(saved["windows"]),
        applied=Limits(**saved["applied"]),
        tried=saved["tried"],
        told=Limits(**saved["told"]),
    )


_SKETCHES: Final = ("memory", "tasks", "cpu")


def _need(sketch: Sketch, factor: float, now: float | None) -> float | None:
    high, top = quantile(sketch, QUANTILE), most(sketch)
    if high is None or top is None:
        return None
    return max(high * factor, top * 1.1, (now or 0.0) * 1.1)


def _memory(wanted: float) -> int:
    """Return the size rounded up, to a sixteenth of its magnitude."""
    least = max(int(wanted), LEAST.memory_max or 0)
    step = max(MIB, 1 << (least.bit_length() - 5))
    return -(-least // step) * step


def _tasks(wanted: float) -> int:
    least = max(math.ceil(wanted) + SPARE_TASKS, LEAST.tasks_max or 0)
    return -(-least // 4) * 4


def _quota(wanted: float) -> int:
    return max(math.ceil(wanted / 10) * 10, LEAST.cpu_quota or 0)


def _differs(wanted: int, applies: int | None) -> bool:
    return applies is None or abs(wanted - applies) >= MATERIAL * applies


def _higher(one: Any, other: Any) -> Any:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
