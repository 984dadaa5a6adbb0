"""What goes into the history of agents: each change of a phase or of a health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import health
from opmas.store.rows import HistoryRow

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster

MESSAGE: Final = 200  # characters


def rows_of(before: Roster, after: Roster, at: str, *, whole: bool) -> tuple[HistoryRow, ...]:
    """Return what changed of phases and health between two rosters; all of it for a whole save."""
    return tuple(
        _row(agent, at)
        for name, agent in after.agents.items()
        if whole or _moved(before.agents.get(name), agent)
    )


def _moved(old: Agent | None, new: Agent) -> bool:
    if old is new:
        return False
    if old is None or old.phase is not new.phase or old.since != new.since:
        return True
    return old.reason is not new.reason or health(old).status is not health(new).status


def _row(agent: Agent, at: str) -> HistoryRow:
    told = health(agent)
    message = (told.message or agent.message)[:MESSAGE]
    return HistoryRow(
        agent.name, at, str(agent.phase), str(agent.reason), str(told.status), message
    )
