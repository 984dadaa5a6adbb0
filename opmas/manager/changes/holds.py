"""Holds that follow from what somebody does: the package stays where a person put its agents.

Without them the next look at what dpkg delivered would undo each step back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core.change.change import ChangeState, TaskName
from opmas.core.change.ledger import marked

if TYPE_CHECKING:
    from opmas.core.change.change import Change
    from opmas.core.roster import Roster


def held(roster: Roster, package: str) -> Roster:
    """Return the roster with the package held: nothing is done with it by itself."""
    return replace(roster, holds=roster.holds | {package})


def held_for(roster: Roster, change: Change) -> tuple[Roster, Change]:
    """Return the roster with the change's package held, and the change that knows of it."""
    if change.package in roster.holds:
        return roster, change
    tasks = tuple(
        marked(t, t.state, t.message, holds=True) if t.name is TaskName.CHECK else t
        for t in change.tasks
    )
    return held(roster, change.package), replace(change, tasks=tasks)


def let_go(roster: Roster, id_: int) -> Roster:
    """Return the roster without the hold that a change brought which was refused in the end."""
    change = roster.changes.get(id_)
    if change is None or change.state is not ChangeState.REFUSED:
        return roster
    if not any(task.params.get("holds") for task in change.tasks):
        return roster
    return replace(roster, holds=roster.holds - {change.package})
