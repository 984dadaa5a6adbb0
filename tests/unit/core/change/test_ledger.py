"""Which changes the roster remembers."""

from __future__ import annotations

from opmas.core.change import engine
from opmas.core.change.change import Change, ChangeState, Kind
from opmas.core.change.ledger import REMEMBERED, enter, forget
from opmas.core.roster import Roster

LATER = range(2, REMEMBERED + 10)


def roster_of(*numbers: int) -> Roster:
    roster = Roster()
    for number in numbers:
        roster, _ = engine.propose(roster, Change(0, Kind.UPDATE, f"agent/a{number}", ()))
    return roster


def ended(roster: Roster, number: int) -> Roster:
    return enter(roster, roster.changes[number], ChangeState.REFUSED)[0]


def test_a_long_change_is_there_when_it_ends_after_many_later_ones():
    roster = roster_of(1, *LATER)
    for number in LATER:
        roster = forget(ended(roster, number))

    roster = ended(roster, 1)

    assert roster.changes[1].state is ChangeState.REFUSED
    assert 1 in forget(roster).changes


def test_changes_that_end_together_are_there_until_they_are_saved():
    roster = roster_of(*LATER)

    for number in range(1, len(LATER) + 1):
        roster = ended(roster, number)

    assert len(roster.changes) == len(LATER)
    assert list(forget(roster).changes) == list(roster.changes)[-REMEMBERED:]


def test_a_change_that_goes_on_is_never_forgotten():
    roster = roster_of(1, *LATER)
    for number in LATER:
        roster = ended(roster, number)

    assert 1 in forget(roster).changes
