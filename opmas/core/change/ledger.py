"""The changes in the roster: how one enters a state, how its tasks are marked, who waits for whom.

Pure helpers of `engine.py` and `reverting.py`; each returns the roster after a step, and what the
event log is told of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change.change import FINAL, NEXT_STATES, Change, ChangeState, Task, TaskState
from opmas.core.events import Announce, Tidy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.core.events import Effect
    from opmas.core.roster import Roster

    Step = tuple[Roster, tuple[Effect, ...]]

REMEMBERED: Final = 32  # ended changes that stay in memory, for whoever waits for them


def with_change(roster: Roster, change: Change) -> Roster:
    """Return the roster with the change in it; those that ended are in the order of their ends."""
    changes = {**roster.changes, change.id: change}
    if change.is_final:
        changes[change.id] = changes.pop(change.id)
    return replace(roster, changes=changes, last_change=max(roster.last_change, change.id))


def forget(roster: Roster) -> Roster:
    """Return the roster with the last of its ended changes; all that ended must be saved."""
    ended = [id_ for id_, each in roster.changes.items() if each.is_final]
    old = frozenset(ended[:-REMEMBERED])
    if not old:
        return roster
    return replace(roster, changes={i: c for i, c in roster.changes.items() if i not in old})


def enter(
    roster: Roster,
    change: Change,
    state: ChangeState,
    *,
    reason: str = "",
    message: str = "",
    facts: tuple[str, ...] = (),
) -> Step:
    """Return the roster with the change in its next state."""
    assert state in NEXT_STATES[change.state], (change.state, state)  # noqa: S101 -- rows of a table
    after = replace(
        change,
        state=state,
        reason=reason or change.reason,
        message=message or change.message,
        facts=facts or change.facts,
    )
    data: dict[str, Any] = {
        "id": change.id,
        "kind": str(change.kind),
        "from": str(change.state),
        "to": str(state),
        "reason": after.reason,
        "message": after.message,
    }
    news = Announce("opmas.change.state", change.subject, data)
    tidies = state in FINAL and state is not ChangeState.REVERT_FAILED
    return with_change(roster, after), (news, Tidy(change.id)) if tidies else (news,)


def mark(roster: Roster, change: Change, position: int, task: Task) -> Step:
    """Return the roster with a task of the change exchanged."""
    data: dict[str, Any] = {
        "id": change.id,
        "task": str(task.name),
        "state": str(task.state),
        "message": task.message,
    }
    news = Announce("opmas.change.step", change.subject, data)
    return with_change(roster, change.with_task(position, task)), (news,)


def marked(task: Task, state: TaskState, message: str = "", **params: Any) -> Task:
    """Return the task in that state, with more that is known of it."""
    return replace(task, state=state, message=message, params={**task.params, **params})


def under_way(roster: Roster) -> Iterator[Change]:
    """Yield the changes that have not ended, the oldest first."""
    for id_ in sorted(roster.changes):
        if not roster.changes[id_].is_final:
            yield roster.changes[id_]


def blocker(roster: Roster, change: Change) -> Change | None:
    """Return the oldest change under way that a planned one waits for, or None."""
    for other in under_way(roster):
        if other.id < change.id and (_share(other, change) or other.id in change.follows):
            return other
    return None


def of_agent(roster: Roster, name: str) -> Change | None:
    """Return the change that goes on for the agent, or the next one that waits."""
    return next((c for c in under_way(roster) if name in c.agents), None)


def failed_before(roster: Roster, change: Change) -> Change | None:
    """Return a change that was to be committed first and was not."""
    followed = (roster.changes.get(id_) for id_ in change.follows)
    return next(
        (c for c in followed if c and c.is_final and c.state is not ChangeState.COMMITTED), None
    )


def _share(one: Change, other: Change) -> bool:
    if set(one.agents) & set(other.agents):
        return True
    both = not one.is_of_agent and not other.is_of_agent
    return both and one.package == other.package
