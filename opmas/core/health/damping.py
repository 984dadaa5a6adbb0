"""Which health is shown of one that changes to and fro: worse at once, better with patience.

Rule 1: what is worse is shown at once, always.
Rule 2: what is better is shown at once too, until so many changes were shown within WINDOW that
        one more, and the worsenings which may follow it, would make more than MOST. Then it is
        shown when it has held for HOLD, and the window has room again.
So no window has more than MOST changes, and nothing bad is ever hidden.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.health.report import RANK

if TYPE_CHECKING:
    from opmas.core.agent.terms import Health

MOST: Final = 8  # changes within a window: the third time that it gets well waits
WINDOW: Final = 300.0  # seconds
HOLD: Final = 60.0  # seconds
_LOWEST: Final = max(RANK.values())


@dataclass(frozen=True, slots=True)
class Damping:
    """The status that is shown, None of an agent that is not up, and what waits to be shown."""

    status: Health | None = None
    since: float = 0.0
    changes: tuple[float, ...] = ()  # instants, within the window
    better: Health | None = None  # held back
    better_since: float = 0.0
    due: float | None = None  # when `better` may be shown


STEADY: Final = Damping()


def down(damping: Damping) -> Damping:
    """Return the damping of an agent that is not up: nothing is shown, what was is remembered."""
    if damping.status is None:
        return damping
    return Damping(changes=damping.changes)


def damped(damping: Damping, status: Health, now: float) -> Damping:
    """Return what is shown when the facts say `status`."""
    shown = damping.status
    if shown is None:  # it came up: that is no change of its health
        return replace(damping, status=status, since=now)
    if status is shown:
        return damping if damping.better is None else _calm(damping)
    if RANK[status] > RANK[shown]:
        return _changed(damping, status, now)
    return _improved(damping, status, now)


def _improved(damping: Damping, status: Health, now: float) -> Damping:
    held = _held(damping, status, now)
    better = held.better
    assert better is not None  # noqa: S101 -- `_held` gave it
    room_at = _room_at(damping.changes, better, now)
    if room_at <= now and damping.better is None:  # not flapping: at once
        return _changed(damping, status, now)
    due = max(room_at, held.better_since + HOLD)
    if due > now:
        return replace(held, due=due)
    return damped(_changed(held, better, now), status, now)  # it may be better still


def _held(damping: Damping, status: Health, now: float) -> Damping:
    """Return the damping with the level that has held without a break, and since when."""
    known = damping.better
    if known is None:
        return replace(damping, better=status, better_since=now)
    return replace(damping, better=status) if RANK[status] > RANK[known] else damping


def _room_at(changes: tuple[float, ...], better: Health, now: float) -> float:
    """Return when one more change, and the worsenings after it, make no more than MOST."""
    allowed = MOST - 1 - (_LOWEST - RANK[better])
    recent = [at for at in changes if at + WINDOW > now]
    return now if len(recent) <= allowed else recent[-allowed - 1] + WINDOW


def _changed(damping: Damping, status: Health, now: float) -> Damping:
    recent = tuple(at for at in damping.changes if at + WINDOW > now)
    return Damping(status=status, since=now, changes=(*recent, now))


def _calm(damping: Damping) -> Damping:
    return replace(damping, better=None, better_since=0.0, due=None)
