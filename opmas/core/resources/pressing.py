"""In which ways an agent is close to what it may use, from what it was seen to use.

A sign comes at its `on` mark and goes below its `off` mark, so that a figure that wavers around
one of them does not come and go; throttling, which is counted, must have stayed away for CALM
looks. Signs come before the kernel acts: killing at memory_max, refusing at tasks_max.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opmas.core.health.vitals import Sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opmas.core.agent.terms import Limits
    from opmas.core.resources.usage import Detail, Sample

NEAR_MEMORY: Final = "near-memory-limit"
MEMORY_PRESSURE: Final = "memory-pressure"
THROTTLED: Final = "throttled"
NEAR_TASKS: Final = "near-tasks-limit"
CPU_THROTTLED: Final = "cpu-throttled"
NEAR_DESCRIPTORS: Final = "fd-limit"

CALM: Final = 3  # looks without another throttling
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """When a sign comes and when it goes, in percent; `words` say it, with the figure."""

    on: float
    off: float
    words: str


MARKS: Final[Mapping[str, Mark]] = {
    NEAR_MEMORY: Mark(90, 80, "it needs {:.0f} % of its memory_max"),
    # PSI: the share of time in which some of its processes waited for memory.
    MEMORY_PRESSURE: Mark(20, 10, "it waited for memory in {:.0f} % of the time"),
    # What it needs, of its memory_high: pages that can be dropped make no sign of it.
    THROTTLED: Mark(90, 80, "it is slowed down: it needs {:.0f} % of its memory_high"),
    NEAR_TASKS: Mark(90, 80, "it has {:.0f} % of its tasks_max"),
    CPU_THROTTLED: Mark(50, 25, "its cpu_quota was used up in {:.0f} % of the time"),
    NEAR_DESCRIPTORS: Mark(90, 80, "a process of it has {:.0f} % of its open files"),
}


@dataclass(frozen=True, slots=True)
class Pressing:
    """The signs of one agent, and what the next ones depend on."""

    signs: Mapping[str, Sign] = field(default_factory=dict)
    seen: Detail | None = None  # counts are compared with those of the last detail
    quiet: int = CALM  # looks since it was last slowed down

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the signs, in the order of the list."""
        return tuple(code for code in MARKS if code in self.signs)

    def told(self) -> tuple[Sign, ...]:
        """Return the signs in the order of the list."""
        return tuple(self.signs[code] for code in self.codes)


NO_PRESSURE: Final = Pressing()


def resumed(signs: Iterable[Sign]) -> Pressing:
    """Return what a manager that begins knows: the signs that were told already."""
    found = {sign.code: sign for sign in signs}
    return Pressing(found, quiet=0 if THROTTLED in found else CALM)


def look(before: Pressing, sample: Sample, limits: Limits) -> Pressing:
    """Return the signs after one more sample; what it does not tell leaves a sign as it was."""
    detail = sample.detail if sample.detail is not before.seen else None
    quiet = before.quiet if detail is None else _quiet(before, detail)
    signs = dict(before.signs)
    for code, percent in _figures(before, sample, limits, detail, quiet):
        mark = MARKS[code]
        if percent >= (mark.off if code in signs else mark.on):
            signs[code] = signs.get(code) or Sign(code, mark.words.format(percent))
        else:
            signs.pop(code, None)
    return Pressing(signs, before.seen if detail is None else detail, quiet)


def _figures(
    before: Pressing, sample: Sample, limits: Limits, detail: Detail | None, quiet: int
) -> Iterator[tuple[str, float]]:
    """Yield the percent of each figure that is known now."""
    yield from _share(NEAR_TASKS, sample.tasks, limits.tasks_max)
    if detail is None:
        return
    yield from _share(NEAR_MEMORY, sample.needed_bytes, limits.memory_max)
    if quiet >= CALM:
        yield THROTTLED, 0.0
    else:
        yield from _share(THROTTLED, sample.needed_bytes, limits.memory_high)
    if detail.memory_pressure is not None:
        yield MEMORY_PRESSURE, detail.memory_pressure
    yield CPU_THROTTLED, _throttled_share(before.seen, detail)
    files = detail.descriptors
    if files is not None:
        yield from _share(NEAR_DESCRIPTORS, files.fullest if files.exact else None, files.limit)


def _share(code: str, used: int | None, most: int | None) -> Iterator[tuple[str, float]]:
    if used is not None and most:
        yield code, used / most * 100


def _quiet(before: Pressing, detail: Detail) -> int:
    """Return for how many looks the agent was not slowed down."""
    last = before.seen
    if last is not None and detail.throttled > last.throttled:
        return 0
    return min(before.quiet + 1, CALM)


def _throttled_share(last: Detail | None, now: Detail) -> float:
    """Return the percent of its periods in which it used up its CPU quota since the last look."""
    if last is None:
        return 0.0
    periods, throttled = (
        now.cpu_periods - last.cpu_periods,
        now.cpu_throttled - last.cpu_throttled,
    )
    return throttled / periods * 100 if periods > 0 and throttled >= 0 else 0.0
