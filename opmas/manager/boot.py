"""How the manager comes up: what was saved, which boot it belongs to, what is on the disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from opmas.core.agent import Desired, Phase, Reason
from opmas.core.change import load_change
from opmas.core.changes import REMEMBERED
from opmas.core.condition import load_condition, load_spec
from opmas.core.engine import resumed
from opmas.core.knownbad import load_bad
from opmas.core.roster import Roster
from opmas.core.state import Agent
from opmas.host.files import write_whole
from opmas.manager.saver import Record, Stamps
from opmas.store.rows import ChangeQuery

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.manager.clock import Clock
    from opmas.manager.database import Databases
    from opmas.manager.files import AgentFiles
    from opmas.store.database import Database


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """The roster and records that the manager begins with."""

    roster: Roster
    records: dict[str, Record]
    stamps: dict[int, Stamps] = field(default_factory=dict)
    rebuilt: bool = False  # from the agents' files, because the database was lost


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
    is_new: bool,
    same_boot: bool,
) -> Saved:
    """Return what the database holds; from the agents' files when it is a new one."""
    if not is_new and databases.current is not None:
        rows = databases.current.agents()
        agents = [load_condition(load_spec(row.spec), row.condition) for row in rows]
        records = {
            r.name: Record(r.config_version, r.revision, r.created_at, r.updated_at) for r in rows
        }
        loaded, stamps = _with_changes(
            databases.current, _with(roster, agents), clock.monotonic(), same_boot=same_boot
        )
        return Saved(loaded, records, stamps)
    found = files.saved_specs()
    now = databases.now()
    agents = []
    for saved in found:
        agent = Agent(spec=saved.spec)
        if same_boot and saved.spec.desired is Desired.RUNNING:  # it was started: see what became
            agent = Agent(spec=saved.spec, phase=Phase.RUNNING, reason=Reason.READY)
        agents.append(agent)
    records = {s.spec.name: Record(s.config_version, 1, now, now) for s in found}
    return Saved(_with(roster, agents), records, rebuilt=bool(found))


def _with_changes(
    database: Database, roster: Roster, now: float, *, same_boot: bool
) -> tuple[Roster, dict[int, Stamps]]:
    """Return the roster with the changes that go on, and the last ones, for who asks of them."""
    active = database.changes(ChangeQuery(active=True, limit=10_000))
    rows = {row.id: row for row in [*database.changes(ChangeQuery(limit=REMEMBERED)), *active]}
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
    roster = replace(
        roster, changes=changes, last_change=max(rows, default=0), bad=bad,
        holds=database.holds(),
    )  # fmt: skip
    return roster, stamps


def _with(roster: Roster, agents: list[Agent]) -> Roster:
    return Roster({a.name: a for a in agents}, roster.concurrency, roster.policy)
