"""The values that the store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent as saved; times are RFC 3339 in UTC."""

    name: str
    spec: dict[str, Any]
    condition: dict[str, Any]
    config_version: int
    revision: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """One version of an agent's configuration."""

    agent: str
    version: int
    config: dict[str, Any]
    author: str
    at: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended; the store gives it its sequence number."""

    time: str
    type: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of the log."""

    sequence: int
    time: str
    type: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change as saved; times are RFC 3339 in UTC, `ended_at` is None while it is under way."""

    id: int
    state: str
    package: str
    agents: tuple[str, ...]
    document: dict[str, Any]
    created_at: str
    updated_at: str
    ended_at: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeQuery:
    """Which changes: of an agent, of a package, in a state, under way, older than a number."""

    agent: str | None = None
    package: str | None = None
    state: str | None = None
    active: bool | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What an agent's phase and health are from a time on; RFC 3339 in UTC."""

    agent: str
    at: str
    phase: str
    reason: str
    health: str
    message: str


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which part of an agent's history: of a time, the newest `limit` rows of it."""

    agent: str
    since: str
    until: str
    limit: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is saved together: all of it, or nothing."""

    agents: tuple[AgentRow, ...] = ()
    removed: tuple[str, ...] = ()
    configs: tuple[ConfigRow, ...] = ()
    events: tuple[NewEvent, ...] = ()
    packages: dict[str, tuple[str, str]] | None = None  # name -> (version, digest); replaces all
    changes: tuple[ChangeRow, ...] = ()
    bad: dict[str, dict[str, Any]] | None = None  # by key; replaces all
    holds: frozenset[str] | None = None  # replaces all
    history: tuple[HistoryRow, ...] = ()
    whole: bool = False  # all that there is: agents and open changes that are not in it go

    def __bool__(self) -> bool:
        lists = (
            self.agents, self.removed, self.configs, self.events, self.changes, self.history,
        )  # fmt: skip
        replaced = (self.packages, self.bad, self.holds)
        return self.whole or any(lists) or any(each is not None for each in replaced)


@dataclass(frozen=True, slots=True)
class Query:
    """Which events: those after a sequence number or a time, of a subject, of a type."""

    after: int | None = None
    since: str | None = None
    subject: str | None = None
    type: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Pruned:
    """Events between two numbers that are not in the log any more.

    `reason` is age, count, size, agent-quota, disk-full or restored (never in this log: it was
    restored from an older copy, or made anew). For agent-quota, other events stay among them.
    """

    first: int
    last: int
    at: str
    reason: str
    count: int = 0  # how many went with this step; not kept


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the event log is kept; `oldest` None is of any age."""

    count: int
    bytes: int
    agents: int  # events of agents, of all of them
    oldest: str | None = None
