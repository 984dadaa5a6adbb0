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
class Batch:
    """What is saved together: all of it, or nothing."""

    agents: tuple[AgentRow, ...] = ()
    removed: tuple[str, ...] = ()
    configs: tuple[ConfigRow, ...] = ()
    events: tuple[NewEvent, ...] = ()
    packages: dict[str, tuple[str, str]] | None = None  # name -> (version, digest); replaces all

    def __bool__(self) -> bool:
        return bool(
            self.agents or self.removed or self.configs or self.events or self.packages is not None
        )


@dataclass(frozen=True, slots=True)
class Query:
    """Which events: those after a sequence number or a time, of a subject, of a type."""

    after: int | None = None
    since: str | None = None
    subject: str | None = None
    type: str | None = None
    limit: int = 100
