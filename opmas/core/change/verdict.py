"""Whether a change is kept or undone, from what was gathered while it was watched.

Rule 1: a change is undone for what is worse than before, never for what was so already.
Rule 2: what may have come from outside does not undo a change: it is watched on until the end of
        the window, and kept then. Whether it came from outside is asked of the moment at which it
        happened, so an outage that is over excuses what broke then and nothing later.
Rule 3: clear evidence ends the window at once; what may pass by itself is looked at at its end.
Rule 4: every verdict says what it rests on, with figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.core.change.cause import GATES, SENTENCES, Cause
from opmas.core.change.evidence import cpu_rate, take
from opmas.core.change.findings import MIB, Finding, Scene, findings

if TYPE_CHECKING:
    from opmas.core.change.evidence import Watch
    from opmas.core.change.sighting import Sighting
    from opmas.core.change.surroundings import Surroundings

__all__ = ["Cause", "Decision", "Verdict", "judge"]


class Decision(StrEnum):
    """What to do about a change that is watched."""

    WATCH = "watch"
    KEEP = "keep"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, its cause from the closed list, and both in words."""

    decision: Decision
    cause: Cause | None = None
    sentence: str = ""
    facts: tuple[str, ...] = ()


def judge(
    watch: Watch, now: Sighting, around: Surroundings, *, elapsed: float, window: float
) -> Verdict:
    """Return what to do `elapsed` seconds after the change, of `window` that it is watched."""
    if window <= 0:
        return Verdict(Decision.KEEP, sentence="it is kept: it is not watched")
    watch = take(watch, now, around)
    if _is_idle(watch, now):
        cause = Cause.STOPPED_BY_ADMIN if watch.baseline.wanted else Cause.WAS_NOT_RUNNING
        return Verdict(Decision.KEEP, cause, "it is kept: the agent is not to run")
    scene = Scene(watch, now, elapsed, window)
    found = findings(scene)
    gate = _gate(watch, now, around)
    bad = next((each for each in found if each.excuse is None), None)
    if bad is not None and gate is None:
        sentence = f"it is undone: {SENTENCES[bad.cause]}"
        return Verdict(Decision.UNDO, bad.cause, sentence, bad.facts)
    if found:
        return _excused(scene, bad or found[0], gate or found[0].excuse or Cause.WAS_FAILING)
    return _well(scene, gate)


def _is_idle(watch: Watch, now: Sighting) -> bool:
    """Return whether there is nothing to watch: it was not up since the change, and shall not."""
    stays = now.held or now.desired is Desired.STOPPED
    return stays and not now.is_up and watch.first_up is None and not watch.exits


def _excused(scene: Scene, found: Finding, excuse: Cause) -> Verdict:
    because = f"{SENTENCES[found.cause]}, but {SENTENCES[excuse]}"
    troubles = tuple(each.sentence for each in scene.watch.troubles if each.cause is excuse)
    facts = (*found.facts, *troubles[-1:])
    if scene.is_over:
        return Verdict(Decision.KEEP, excuse, f"it is kept: {because}", facts)
    return Verdict(Decision.WATCH, excuse, f"it is watched on: {because}", facts)


def _well(scene: Scene, gate: Cause | None) -> Verdict:
    facts = _comparison(scene)
    if not scene.is_over:
        left = scene.window - scene.elapsed
        return Verdict(Decision.WATCH, None, f"it is watched for {left:.0f} more seconds", facts)
    if gate is Cause.STOPPED_BY_ADMIN or gate is Cause.NOT_STARTED:
        return Verdict(Decision.KEEP, gate, f"it is kept: {SENTENCES[gate]}", facts)
    return Verdict(Decision.KEEP, None, "it is kept: nothing got worse", facts)


def _comparison(scene: Scene) -> tuple[str, ...]:
    """Return how the agent does now and did before, as far as both are known."""
    watch, now = scene.watch, scene.now
    before = watch.baseline
    up = 0.0 if watch.up_at is None else max(now.at - watch.up_at, 0.0)
    facts = [
        f"It is {now.phase} and {now.health}, up for {up:.0f} s.",
        f"Since the change: exits {watch.exits_seen}, errors {watch.errors}.",
    ]
    rate = cpu_rate(watch.slices[0], watch.slices[-1]) if watch.slices else None
    if rate is not None and before.cpu_rate is not None:
        facts.append(f"It uses {rate:.1%} of a CPU; before the change {before.cpu_rate:.1%}.")
    if now.memory_bytes is not None and before.memory_bytes is not None:
        held, was = now.memory_bytes / MIB, before.memory_bytes / MIB
        facts.append(f"It holds {held:.0f} MiB; before the change {was:.0f} MiB.")
    return tuple(facts)


def _gate(watch: Watch, now: Sighting, around: Surroundings) -> Cause | None:
    """Return what holds for whatever is wrong, as long as it lasts, or None."""
    before = watch.baseline
    holds = {
        Cause.NOTHING_BEFORE: not before.existed,
        Cause.WAS_NOT_RUNNING: before.existed and not before.wanted,
        Cause.WAS_FAILING: before.failing,
        Cause.STOPPED_BY_ADMIN: _is_stopped(now),
        Cause.NOT_STARTED: _is_queued(watch, now),
        Cause.DATABASE_DOWN: not around.database_ok,
    }
    return next((cause for cause in GATES if holds[cause]), None)


def _is_stopped(now: Sighting) -> bool:
    stopping = now.phase in {Phase.STOPPING, Phase.STOPPED}
    foreign = now.reason is Reason.MASKED or (stopping and now.reason is Reason.SYSTEMCTL)
    return now.held or now.desired is Desired.STOPPED or foreign


def _is_queued(watch: Watch, now: Sighting) -> bool:
    """Return whether it waits for its turn: systemd has made no new run of it."""
    waits = now.phase is Phase.STARTING and now.reason is not Reason.AUTO_RESTART
    untouched = watch.first_up is None and not watch.exits
    return waits and untouched and now.invocation in {"", watch.began.invocation}
