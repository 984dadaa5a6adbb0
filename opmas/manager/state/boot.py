"""How the manager comes up: what was saved, which boot it belongs to, what is on the disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from opmas.core.agent.condition import load_condition, load_spec
from opmas.core.agent.terms import Reason
from opmas.core.change.change import load_change
from opmas.core.change.engine import resumed
from opmas.core.change.knownbad import load_bad
from opmas.core.change.ledger import REMEMBERED
from opmas.core.events import Announce
from opmas.core.recovery.alerts import CLEARED, RAISED, begun
from opmas.host.files import write_whole
from opmas.manager.state.database import Opened, Origin
from opmas.manager.state.merging import merge, record_of
from opmas.manager.state.saver import Stamps
from opmas.store.rows import ChangeQuery, Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.clock import Clock
    from opmas.manager.state.database import Databases
    from opmas.manager.state.saver import Record
    from opmas.store.database import Database
    from opmas.store.rows import ChangeRow


logger = logging.getLogger(__name__)

MOST: Final = 5000  # events of alerts that are looked at: those that are up are among the last


@dataclass(frozen=True, slots=True)
class Saved:
    """The roster and records that the manager begins with."""

    roster: Roster
    records: dict[str, Record]
    stamps: dict[int, Stamps] = field(default_factory=dict)
    rebuilt: bool = False  # with the agents' files, because the database was lost
    newer: tuple[str, ...] = ()  # agents that are as their files say
    gone: tuple[str, ...] = ()  # agents whose files are gone since


class BootMark:
    """A file under /run that says that the manager has been up in this boot before.

    Both an old boot and a new one have agents that do not run; only in a new one are those to be
    started, and in the old one a stop with systemctl is to be honoured.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id

    def is_set(self) -> bool:
        """Return whether the manager has been up in this boot."""
        try:
            return self._path.read_text(encoding="ascii").strip() == self._boot_id
        except OSError:
            return False

    def set(self) -> None:
        """Say that the manager has seen all agents in this boot."""
        write_whole(self._path, self._boot_id + "\n")


def load_saved(
    databases: Databases,
    files: AgentFiles,
    roster: Roster,
    clock: Clock,
    *,
    opened: Opened | None,
    same_boot: bool,
) -> Saved:
    """Return what the database holds; with the agents' files when it is not the latest."""
    database = databases.current
    if opened is not None and opened.origin is Origin.KEPT and database is not None:
        rows = database.agents()
        agents = [load_condition(load_spec(row.spec), row.condition) for row in rows]
        records = {row.name: record_of(row) for row in rows}
        found = [*_last_changes(database), *_active_changes(database)]
        known = _with(roster, agents)
        if same_boot:
            known = replace(known, budget=known.budget.resumed(_places(agents)))
        loaded, stamps = _with_changes(
            database, known, found, clock.monotonic(), same_boot=same_boot
        )
        return Saved(_with_alerts(database, loaded, clock), records, stamps)
    rows = [] if database is None else database.agents()
    files_found = files.saved_specs() if files.exist() else None
    merged = merge(rows, files_found, databases.now(), same_boot=same_boot)
    loaded, stamps = _with(roster, list(merged.agents)), {}
    if rows and database is not None:  # what was under way then is not what is now
        ended = [row for row in _last_changes(database) if row.ended_at is not None]
        loaded, stamps = _with_changes(
            database, loaded, ended, clock.monotonic(), same_boot=same_boot
        )
    rebuilt = bool(merged.agents)
    if database is not None:
        loaded = _with_alerts(database, loaded, clock)
    return Saved(loaded, merged.records, stamps, rebuilt, merged.newer, merged.gone)


def adopted(
    database: Database, known: Roster, now: float, *, same_boot: bool, is_latest: bool = True
) -> Saved:
    """Return what is known with what the database holds beside it: it could not be read before.

    One that is not the latest, a backup, knows nothing of what went since: agents that have no
    file are gone, and what was under way then is not what is now.
    """
    if is_latest:
        found = _active_changes(database)
    else:
        found = [row for row in _last_changes(database) if row.ended_at is not None]
    loaded, stamps = _with_changes(database, known, found, now, same_boot=same_boot)
    agents, records = dict(known.agents), {}
    rows = database.agents()
    if not is_latest and known.agents:
        rows = [row for row in rows if row.name in known.agents]
    for row in rows:
        spec = load_spec(row.spec)
        there = agents.setdefault(row.name, load_condition(spec, row.condition))
        records[row.name] = record_of(row)
        if there.spec != spec:
            records[row.name] = replace(records[row.name], revision=row.revision + 1)
    roster = replace(
        loaded, agents=agents, changes={**known.changes, **loaded.changes},
        last_change=max(known.last_change, loaded.last_change),
    )  # fmt: skip
    return Saved(roster, records, stamps)


def _last_changes(database: Database) -> list[ChangeRow]:
    return database.changes(ChangeQuery(limit=REMEMBERED))


def _active_changes(database: Database) -> list[ChangeRow]:
    return database.changes(ChangeQuery(active=True, limit=10_000))


def _with_changes(
    database: Database, roster: Roster, found: list[ChangeRow], now: float, *, same_boot: bool
) -> tuple[Roster, dict[int, Stamps]]:
    """Return the roster with the changes that go on, and the last ones, for who asks of them."""
    rows = {row.id: row for row in found}
    changes = {}
    for id_, row in sorted(rows.items()):
        try:
            change = load_change(row.document)
        except (LookupError, TypeError, ValueError):
            logger.exception("change %d cannot be read: it does not go on", id_)
            continue
        changes[id_] = change if change.is_final else resumed(change, now, same_boot=same_boot)
    stamps = {r.id: Stamps(r.created_at, r.updated_at, r.ended_at) for r in rows.values()}
    bad = {key: load_bad(saved) for key, saved in database.bad().items()}
    newest = database.changes(ChangeQuery(limit=1))
    roster = replace(
        roster, changes=changes, last_change=max((row.id for row in newest), default=0), bad=bad,
        holds=database.holds(),
    )  # fmt: skip
    return roster, stamps


def _with_alerts(database: Database, roster: Roster, clock: Clock) -> Roster:
    """Return the roster with the alerts that were told and not taken back, by the event log."""
    events = [
        event
        for kind in (RAISED, CLEARED)
        for event in database.events(Query(type=kind, limit=MOST))
    ]
    past = [
        (datetime.fromisoformat(e.time).timestamp(), Announce(e.type, e.subject, e.data))
        for e in sorted(events, key=lambda event: event.sequence)
    ]
    now = clock.monotonic()
    offset = clock.utc().timestamp() - now
    return replace(roster, alerts=begun(replace(roster, utc_offset=offset), past, now))


def _places(agents: list[Agent]) -> Iterator[float]:
    """Yield the instants that agents were given which wait for the host's budget of restarts."""
    for agent in agents:
        if agent.reason is Reason.BUDGET and agent.retry_at is not None:
            yield agent.retry_at


def _with(roster: Roster, agents: list[Agent]) -> Roster:
    return replace(roster, agents={a.name: a for a in agents})
