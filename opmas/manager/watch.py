"""Brings what systemd says to the writer, and looks at everything anew from time to time."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from opmas.core import events
from opmas.core.agent.terms import agent_name, unit_name
from opmas.ports import Disconnected, JobRemoved, Resynced, UnitChanged, UnitGone

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.unit.state import UnitState
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.host import HostStatus
    from opmas.manager.problems import Problems
    from opmas.manager.state.writer import Writer
    from opmas.manager.unitjobs import UnitJobs
    from opmas.ports import UnitEvent, Units

DIGITS: Final = re.compile(r"[0-9]{1,6}")

logger = logging.getLogger(__name__)


def major(version: str) -> int:
    """Return the first number of systemd's version, 0 when there is none."""
    found = DIGITS.match(version)
    return 0 if found is None else int(found[0])


class Watch:
    """Listens to systemd. `ready` is called once, after the first look at all agents."""

    def __init__(  # noqa: PLR0913 -- what systemd's news concern
        self,
        writer: Writer,
        units: Units,
        jobs: UnitJobs,
        problems: Problems,
        status: HostStatus,
        files: AgentFiles,
        *,
        same_boot: bool,
    ) -> None:
        self._writer = writer
        self._units = units
        self._jobs = jobs
        self._problems = problems
        self._status = status
        self._files = files
        self._same_boot = same_boot
        self._seen_all = False
        self.ready: Callable[[], None] = lambda: None
        self.told: Callable[[UnitState], UnitState] = lambda state: state  # may know better

    async def run(self) -> None:
        """Listen until cancelled."""
        async for event in self._units.events():
            self._take(event)

    def _take(self, event: UnitEvent) -> None:
        match event:
            case UnitChanged(states=states):
                for state in states:
                    self._post(state.unit, events.UnitSeen(self.told(state)))
            case UnitGone(unit=unit):
                self._post(unit, events.UnitSeen(None))
            case JobRemoved(unit=unit, job_id=job_id, result=result):
                if agent_name(unit) is None:
                    self._jobs.job_removed(event)
                self._post(unit, events.JobEnded(job_id, result))
            case Disconnected(reason=reason):
                self._status.systemd_connection = "down"
                self._problems.report("systemd-unavailable", f"systemd does not answer: {reason}")
            case Resynced():
                self._resynced(event)

    def _post(self, unit: str, event: events.Event) -> None:
        name = agent_name(unit)
        if name is not None:
            self._writer.post(name, event)

    def _resynced(self, event: Resynced) -> None:
        self._status.systemd_version = event.systemd_version
        self._status.systemd_connection = event.connection
        self._files.systemd = major(event.systemd_version)
        self._problems.clear("systemd-unavailable")
        states = {state.unit: self.told(state) for state in event.states}
        for name in self._writer.roster.agents:
            self._writer.post(name, self._sighting(states.get(unit_name(name))))
        self._report_strays(states)
        if not self._seen_all:
            self._seen_all = True
            self.ready()

    def _sighting(self, state: UnitState | None) -> events.Event:
        if self._seen_all:
            return events.UnitSeen(state)
        return events.Resumed(state, same_boot=self._same_boot)

    def _report_strays(self, states: dict[str, UnitState]) -> None:
        """Name units and drop-ins of agents that nobody declared: left over, or made by hand."""
        known = set(self._writer.roster.agents)
        running = {
            name
            for unit, state in states.items()
            if state.active_state == "active" and (name := agent_name(unit)) is not None
        }
        strays = sorted((running - known) | set(self._files.strays(known)))
        if strays:
            self._problems.report(
                "unknown-agents",
                f"units of agents that are not declared: {', '.join(strays)}:"
                " declare them with `opmas agent create`, or stop them and remove their drop-ins",
            )
        else:
            self._problems.clear("unknown-agents")
