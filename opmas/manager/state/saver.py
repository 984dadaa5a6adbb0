"""Saving: what changed between two rosters goes to the database, whole, before it takes effect.

When the database cannot be written, agents are cared for all the same: facts are kept in memory
(events too, so many) and saved when it can be written again. Nothing is announced unsaved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.condition import differs, dump_condition, dump_spec
from opmas.core.change.change import dump_change
from opmas.core.change.knownbad import dump_bad
from opmas.errors import RevisionError
from opmas.manager.state.states import rows_of
from opmas.store.rows import AgentRow, Batch, ChangeRow, ConfigRow, NewEvent, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.change.change import Change
    from opmas.core.roster import Roster
    from opmas.manager.state.database import Databases

BACKLOG: Final = 10_000  # events that wait for the disk: an hour of a busy host
OF_AGENTS: Final = "agent."  # what the types of agents' own events begin with


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept about an agent beside its state; times are RFC 3339."""

    config_version: int
    revision: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a change was made, last went on and ended; RFC 3339. `serial` counts its steps."""

    created_at: str
    updated_at: str
    ended_at: str | None = None
    serial: int = 1


class Saver:
    """Keeps the records, and saves what a step changed."""

    def __init__(
        self,
        databases: Databases,
        records: Mapping[str, Record],
        stamps: Mapping[int, Stamps] | None = None,
    ) -> None:
        self._databases = databases
        self.records = dict(records)
        self.stamps = dict(stamps or {})
        self._backlog: list[NewEvent] = []
        self._dropped = 0  # events that got no number: too many waited
        self._behind = False  # the database misses something: save all of it next time

    @property
    def behind(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._behind

    def check_revision(self, name: str, expect: int | None) -> None:
        """Raise `RevisionError` when the agent is not at the revision that a caller expects."""
        record = self.records.get(name)
        revision = 0 if record is None else record.revision
        if expect is not None and expect != revision:
            raise RevisionError(
                f'cannot change agent "{name}": it is at revision {revision}, not {expect}'
            )

    def save_everything(self) -> None:
        """Have the next save write all agents: the database is a new or an older one."""
        self._behind = True

    def adopt(self, records: Mapping[str, Record], stamps: Mapping[int, Stamps]) -> None:
        """Take the records of a database that could not be read until now."""
        self.records.update(records)
        self.stamps = {**self.stamps, **stamps}

    def save(
        self, before: Roster, after: Roster, events: Iterable[NewEvent], author: str
    ) -> list[StoredEvent]:
        """Save the difference and the events, and return those with their numbers.

        Raises `StoreError`, with nothing changed here, when the disk does not take it.
        """
        now = self._now(events)
        records, stamps = self._advance(before, after, now), self._stamped(before, after, now)
        batch = self._batch(before, after, records, events, author)
        batch = replace(batch, **self._about_changes(before, after, stamps))
        if not batch and not self._behind:
            return []
        stored = self._write(batch)
        self.records, self.stamps = records, stamps
        self._behind = False
        self._backlog.clear()
        self._dropped = 0
        return stored

    def postpone(self, before: Roster, after: Roster, events: Iterable[NewEvent]) -> None:
        """Keep in memory what could not be saved."""
        events = list(events)
        now = self._now(events)
        self.records = self._advance(before, after, now)
        self.stamps = self._stamped(before, after, now)
        self._keep(events)
        self._behind = True

    def _keep(self, events: Iterable[NewEvent]) -> None:
        """Keep the events until they can be saved; of too many, agents' own go first."""
        self._backlog.extend(events)
        excess = len(self._backlog) - BACKLOG
        if excess <= 0:
            return
        own = [e for e in self._backlog if e.type.startswith(OF_AGENTS)][:excess]
        spare = {id(event) for event in own}
        left = [event for event in self._backlog if id(event) not in spare]
        self._backlog = left[max(len(left) - BACKLOG, 0) :]
        self._dropped += excess

    def _write(self, batch: Batch) -> list[StoredEvent]:
        sequences = self._databases.save(batch)
        return [
            StoredEvent(sequence, event.time, event.type, event.subject, event.data)
            for sequence, event in zip(sequences, batch.events, strict=True)
        ]

    def _now(self, events: Iterable[NewEvent]) -> str:
        return next((event.time for event in events), self._databases.now())

    def _advance(self, before: Roster, after: Roster, at: str) -> dict[str, Record]:
        records = {n: r for n, r in self.records.items() if n in after.agents}
        for name, agent in after.agents.items():
            old, record = before.agents.get(name), records.get(name)
            if old is agent and record is not None:
                continue
            if record is None:
                records[name] = Record(1, 1, at, at)
            elif old is not None and old.spec != agent.spec:
                new_config = old.spec.config != agent.spec.config
                records[name] = replace(
                    record,
                    revision=record.revision + 1,
                    config_version=record.config_version + new_config,
                    updated_at=at,
                )
        return records

    def _stamped(self, before: Roster, after: Roster, at: str) -> dict[int, Stamps]:
        stamps = {id_: s for id_, s in self.stamps.items() if id_ in after.changes}
        for id_, change in after.changes.items():
            old = before.changes.get(id_)
            if old is change or old == change:
                continue
            stamp = stamps.get(id_)
            ended = at if change.is_final else None
            if stamp is None:
                stamps[id_] = Stamps(at, at, ended)
            else:
                stamps[id_] = Stamps(stamp.created_at, at, ended, stamp.serial + 1)
        return stamps

    def _about_changes(
        self, before: Roster, after: Roster, stamps: Mapping[int, Stamps]
    ) -> dict[str, Any]:
        everything = self._behind
        changed = [
            c
            for id_, c in after.changes.items()
            if everything or ((old := before.changes.get(id_)) is not c and old != c)
        ]
        bad = {key: dump_bad(each) for key, each in after.bad.items()}
        return {
            "changes": tuple(_change_row(c, stamps[c.id]) for c in changed),
            "bad": bad if everything or before.bad != after.bad else None,
            "holds": after.holds if everything or before.holds != after.holds else None,
        }

    def _batch(
        self,
        before: Roster,
        after: Roster,
        records: Mapping[str, Record],
        events: Iterable[NewEvent],
        author: str,
    ) -> Batch:
        everything = self._behind
        changed = [
            a for n, a in after.agents.items() if everything or _differs(before.agents.get(n), a)
        ]
        new_configs = [
            a
            for a in changed
            if everything
            or (b := before.agents.get(a.name)) is None
            or b.spec.config != a.spec.config
        ]
        return Batch(
            agents=tuple(_row(a, records[a.name]) for a in changed),
            removed=tuple(before.agents.keys() - after.agents.keys()),
            configs=tuple(_config(a, records[a.name], author) for a in new_configs),
            events=(*self._backlog, *self._about_dropped(), *events),
            history=rows_of(before, after, self._now(events), whole=everything),
            whole=everything,
        )

    def _about_dropped(self) -> tuple[NewEvent, ...]:
        if not self._dropped:
            return ()
        data = {"count": self._dropped, "reason": "disk-full"}
        return (NewEvent(self._databases.now(), "opmas.log.pruned", "manager", data),)


def _differs(old: Agent | None, new: Agent) -> bool:
    """Return whether the part of the agent that is saved changed."""
    if old is new:
        return False
    if old is None or old.spec != new.spec:
        return True
    return differs(old, new)


def _row(agent: Agent, record: Record) -> AgentRow:
    return AgentRow(
        name=agent.name,
        spec=dump_spec(agent.spec),
        condition=dump_condition(agent),
        config_version=record.config_version,
        revision=record.revision,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _change_row(change: Change, stamps: Stamps) -> ChangeRow:
    return ChangeRow(
        id=change.id,
        state=str(change.state),
        package=change.package,
        agents=change.agents,
        document=dump_change(change),
        created_at=stamps.created_at,
        updated_at=stamps.updated_at,
        ended_at=stamps.ended_at,
    )


def _config(agent: Agent, record: Record, author: str) -> ConfigRow:
    config: dict[str, Any] = agent.spec.config
    return ConfigRow(agent.name, record.config_version, config, author, record.updated_at)
