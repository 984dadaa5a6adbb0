"""The agents that do well, written down for the rescue: STATE/last-good.json.

An agent enters when it did well for a while, and leaves when it is not wanted, is held, or was
given up. A moment of trouble does not take it out: the rescue is for bad moments. One that a
change holds down stays in and is marked, once the change copies its data or goes further: started
then, it would write into what is copied or migrated, and an undo would bring back what was before.
"""

from __future__ import annotations

import graphlib
import json
import logging
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Desired, Phase, unit_name
from opmas.core.change.change import TaskName, TaskState
from opmas.core.change.ledger import under_way
from opmas.core.package.neighbours import neighbours
from opmas.host.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opmas.core.agent.state import Agent
    from opmas.core.roster import Roster
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.clock import Clock
    from opmas.manager.state.writer import Writer
    from opmas.rescue.places import Places

logger = logging.getLogger(__name__)

WELL_FOR: Final = 60.0  # seconds
GIVEN_UP: Final = frozenset({Phase.QUARANTINED, Phase.FAILED})

TOUCHES: Final = frozenset(
    {TaskName.DEB, TaskName.SNAPSHOT, TaskName.SWITCH, TaskName.MIGRATE}
)  # fmt: skip
UNBEGUN: Final = frozenset({TaskState.TODO, TaskState.SKIPPED})

Row = dict[str, str]


class LastGood:
    """Keeps the file; it is written when its content changes, which is rare."""

    def __init__(
        self, places: Places, writer: Writer, shelf: Shelf, clock: Clock, boot_id: str
    ) -> None:
        self._places = places
        self._writer = writer
        self._shelf = shelf
        self._clock = clock
        self._boot_id = boot_id
        self._rows = _read(places)
        self._text = ""
        self._agents: Mapping[str, Agent] | None = None  # of these, and of this, the text was made
        self._basis: object = None
        self._failed = False

    def look(self) -> None:
        """Bring the file up to date. Never raises: it is for another day."""
        roster, rows = self._writer.roster, self._rows
        agents = roster.agents
        well, touched = self._well(agents), touched_agents(roster)
        basis = (self._shelf.packages.exchanges, well, touched)
        if agents is not self._agents or basis != self._basis:
            rows = {
                name: {**row, "paused": "yes"} if name in touched else row
                for name, row in self._next(agents, well).items()
            }
            listed = {"agents": [rows[name] for name in self._order(rows)]}
            self._text = json.dumps(listed, indent=1) + "\n"
        try:
            write_whole(self._places.last_good, self._text, 0o600)
        except OSError as error:
            if not self._failed:
                logger.warning("cannot write %s: %s", self._places.last_good, error.strerror)
            self._failed, self._agents = True, None
            return
        self._rows, self._failed = rows, False
        self._agents, self._basis = agents, basis

    def _well(self, agents: Mapping[str, Agent]) -> frozenset[str]:
        """Return the agents that have done well for a while."""
        long_ago = self._clock.monotonic() - WELL_FOR
        return frozenset(
            name
            for name, agent in agents.items()
            if agent.well_since is not None and agent.well_since <= long_ago
        )

    def _next(self, agents: Mapping[str, Agent], well: frozenset[str]) -> dict[str, Row]:
        rows = {}
        for name, agent in agents.items():
            if not is_candidate(agent):
                continue
            if name in well:
                rows[name] = self._row(agent)
            elif name in self._rows:
                rows[name] = {k: v for k, v in self._rows[name].items() if k != "paused"}
        return rows

    def _row(self, agent: Agent) -> Row:
        unit = unit_name(agent.name)
        package = self._shelf.packages.of(agent.spec)
        return {
            "name": agent.name,
            "unit": unit,
            "boot_id": self._boot_id,
            "package": agent.spec.package,
            "version": "" if package is None else package.version,
            "drop_in": str(self._places.drop_in(unit)),
        }

    def _order(self, rows: Iterable[str]) -> list[str]:
        """Return the names with what starts first before the others."""
        agents = self._writer.roster.agents
        specs = {name: agent.spec for name, agent in agents.items()}
        manifests = {
            name: package.manifest
            for name, spec in specs.items()
            if (package := self._shelf.packages.of(spec)) is not None
        }
        wanted = set(rows)
        graph = {
            name: [n for n in neighbours(name, specs, manifests) if n in wanted]
            for name in sorted(wanted)
        }
        return in_order(graph)


def is_candidate(agent: Agent) -> bool:
    """Return whether the agent may be in the set at all."""
    wanted = agent.spec.desired is Desired.RUNNING and not agent.held
    return wanted and agent.phase not in GIVEN_UP


def touched_agents(roster: Roster) -> frozenset[str]:
    """Return the agents that are down for a change which is at their data or version."""
    return frozenset(
        name
        for change in under_way(roster)
        if any(task.name in TOUCHES and task.state not in UNBEGUN for task in change.tasks)
        for name in change.agents
        if name in roster.agents and roster.agents[name].paused
    )


def in_order(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names, each after those that it names; by name where they go in a circle."""
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        return sorted(graph)


def _read(places: Places) -> dict[str, Row]:
    try:
        rows = json.loads(places.last_good.read_text(encoding="utf-8"))["agents"]
        return {str(row["name"]): dict(row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
