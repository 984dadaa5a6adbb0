"""The method `agent.history`: the states of an agent in a time, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from opmas.core.documents import fields
from opmas.core.documents.fields import Fields, Problems, nearest
from opmas.core.health.availability import State, availability, durations, spells
from opmas.errors import InvalidError, StoreError, UnknownAgentError
from opmas.manager.clock import rfc3339
from opmas.manager.control import requests
from opmas.store.rows import HistoryQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.core.health.availability import Spell
    from opmas.manager.clock import Clock
    from opmas.manager.control.methods import Method, Params
    from opmas.manager.state.database import Databases
    from opmas.manager.state.writer import Writer
    from opmas.store.rows import HistoryRow

MOST: Final = 10_000  # rows that are read
PAGE: Final = 100
PAGE_LIMIT: Final = 1000
WINDOW: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    since: datetime
    until: datetime
    limit: int


class HistoryMethods:
    """The method about the history of an agent."""

    def __init__(self, writer: Writer, databases: Databases, clock: Clock) -> None:
        self._writer = writer
        self._databases = databases
        self._clock = clock
        self.table: dict[str, Method] = {
            "agent.history": self._history,
        }

    async def _history(self, params: Params) -> dict[str, Any]:
        asked = _read(params, self._clock.utc())
        agents = self._writer.roster.agents
        if asked.name not in agents:
            raise UnknownAgentError(
                f'no agent is named "{asked.name}"{nearest(asked.name, agents)}'
            )
        database = self._databases.current
        if database is None:
            raise StoreError("cannot read the history: there is no usable database")
        since, until = rfc3339(asked.since), rfc3339(asked.until)
        rows = database.history(HistoryQuery(asked.name, since, until, MOST))
        states = [State(_seconds(row.at), row.phase, row.health) for row in rows]
        by_state = {id(state): row for state, row in zip(states, rows, strict=True)}
        pieces = spells(states, asked.since.timestamp(), asked.until.timestamp())
        return {
            "name": asked.name,
            "since": since,
            "until": until,
            "availability": availability(pieces),
            "known_seconds": round(sum(piece.seconds for piece in pieces), 3),
            "durations": [
                {"phase": phase, "health": told, "seconds": round(seconds, 3)}
                for (phase, told), seconds in durations(pieces).items()
            ],
            "states": [_view(p, by_state[id(p.state)]) for p in pieces[-asked.limit :]],
            "more": len(pieces) > asked.limit,
        }


def _view(piece: Spell, row: HistoryRow) -> dict[str, Any]:
    return {
        "at": row.at,
        "seconds": round(piece.seconds, 3),
        "phase": row.phase,
        "reason": row.reason,
        "health": row.health,
        "message": row.message,
    }


def _read(params: Mapping[str, Any], now: datetime) -> _Asked:
    problems = Problems()
    top = Fields(params, "", problems)
    name = top.need("name", requests.read_agent_name, "")
    until = top.get("until", requests.read_instant, None)
    end = now if until is None else min(datetime.fromisoformat(until), now)
    since = top.get("since", requests.read_instant, None)
    begin = end - WINDOW if since is None else datetime.fromisoformat(since)
    limit = top.get("limit", fields.integer(1, PAGE_LIMIT), PAGE)
    top.finish()
    problems.check("use this request")
    if begin > end:
        raise InvalidError(
            "cannot use this request", ("since: must not be later than until, nor than now",)
        )
    return _Asked(name, begin.astimezone(UTC), end.astimezone(UTC), limit)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
