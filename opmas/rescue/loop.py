"""The rescue: starts the agents that did well, says so, and tries the manager again.

It stops nothing, and does nothing that a missing or a strange file could turn into harm: what it
does not understand stays as it is.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from opmas.rescue.documents import read_document, write_document
from opmas.rescue.judge import (
    STEADY,
    Cause,
    Known,
    Standing,
    Unit,
    cause_of,
    declared,
    is_wanted,
    known_agents,
    pause,
    plan,
    stand,
)
from opmas.rescue.places import MANAGER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opmas.rescue.places import Places

LOOK: Final = 2.0  # seconds between two looks at a manager that comes up
PAUSED_LOOK: Final = 5.0  # the same while it is down
AT_ONCE: Final = 16  # agents that start at a time, as the manager has it
START_LIMIT: Final = 150.0  # seconds for those: TimeoutStartSec= of the slowest, and a busy host
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Units(Protocol):
    """What the rescue needs of systemd."""

    def show(self, units: Sequence[str]) -> dict[str, Unit]:
        """Return how the units are."""

    def start(self, units: Sequence[str], limit: float) -> str:
        """Start the units and wait for them."""

    def start_later(self, unit: str) -> str:
        """Have the unit started."""

    def forgive(self, unit: str) -> None:
        """Forget that the unit failed."""

    def last_lines(self, unit: str) -> list[str]:
        """Return the end of its journal."""


class Clock:
    """The time, and waiting."""

    def now(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def wall(self) -> datetime:
        """Return the wall time."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)


def say(text: str, level: int = 5) -> None:
    """Write a line to the journal, or to a person; the level is syslog's."""
    prefix = f"<{level}>" if "JOURNAL_STREAM" in os.environ else ""
    sys.stderr.write(f"{prefix}{text}\n")


class Rescue:
    """One failure of the manager, from its start to its end."""

    def __init__(self, places: Places, units: Units, clock: Clock, boot_id: str) -> None:
        self._places = places
        self._units = units
        self._clock = clock
        self._boot_id = boot_id
        self._since = _text(clock.wall())
        self._started: list[str] = []
        self._attempts = 0
        self._up: tuple[int, float] | None = None  # process and since when

    def run(self) -> None:
        """Go on until the manager stays up, or somebody wants it down."""
        self._resume()
        while True:
            manager = self._units.show([MANAGER]).get(MANAGER)
            standing = Standing.MOVES if manager is None else stand(manager)
            if manager is not None and standing is Standing.DOWN:
                if not self._help(manager):
                    return
            elif standing is Standing.STOPPED:
                say("opmas-manager was stopped: nothing to rescue")
                return
            elif manager is not None and self._stays_up(manager, standing):
                say("opmas-manager stays up: the rescue ends")
                return
            self._clock.wait(LOOK)

    def _resume(self) -> None:
        """Take up what an earlier run of this boot said: it was killed, or restarted."""
        said = read_document(self._places.report) or {}
        if said.get("boot_id") == self._boot_id and isinstance(said.get("started"), list):
            self._since = str(said.get("since", self._since))
            self._started = [str(unit) for unit in said["started"]]

    def _stays_up(self, manager: Unit, standing: Standing) -> bool:
        now = self._clock.now()
        if standing is not Standing.UP:
            self._up = None
        elif self._up is None or self._up[0] != manager.pid:
            self._up = (manager.pid, now)
        return self._up is not None and now - self._up[1] >= STEADY

    def _help(self, manager: Unit) -> bool:
        """Start agents, wait, try the manager again; whether there is more to do."""
        self._up = None
        cause = cause_of(manager)
        left = self._start_agents(cause)
        self._attempts += 1
        seconds = pause(self._attempts, cause)
        self._report(manager, cause, left, seconds)
        say(f"trying opmas-manager again in {seconds:g} s, or as soon as it was changed")
        if not self._wait_for_change(seconds):
            return True  # somebody else has started it
        again = self._units.show([MANAGER]).get(MANAGER)
        if again is None or not is_wanted(again):
            say("opmas-manager is disabled: the rescue leaves it as it is")
            return again is None
        say(f"trying opmas-manager again: attempt {self._attempts}")
        self._units.forgive(MANAGER)
        refused = self._units.start_later(MANAGER)
        if refused:
            say(f"systemd refuses to start opmas-manager: {refused}", 4)
        return True

    def _start_agents(self, cause: Cause) -> dict[str, str]:
        agents, source = self._agents()
        units = self._show([agent.unit for agent in agents])
        wanted, left = plan(
            agents, units, lambda unit: self._places.drop_in(unit).exists(), self._boot_id,
            self._started,
        )  # fmt: skip
        say(f"opmas-manager is down: {cause.value}: {len(agents)} agents are known by {source}", 4)
        for name, reason in left.items():
            say(f"agent {name} is left as it is: {reason}")
        for first in range(0, len(wanted), AT_ONCE):
            batch = wanted[first : first + AT_ONCE]
            say(f"starting {' '.join(batch)}")
            refused = self._units.start(batch, START_LIMIT)
            if refused:
                say(refused.replace("\n", " "), 4)
            self._started += [unit for unit in batch if unit not in self._started]
        if not wanted:
            say("no agent has to be started")
        return left

    def _show(self, units: Sequence[str]) -> dict[str, Unit]:
        found: dict[str, Unit] = {}
        for first in range(0, len(units), 200):  # a command line has a limit
            found.update(self._units.show(units[first : first + 200]))
        return found

    def _agents(self) -> tuple[list[Known], str]:
        known = known_agents(read_document(self._places.last_good))
        if known is not None:
            known = [agent for agent in known if self._is_wanted(agent)]
            return known, str(self._places.last_good)
        # the manager was up in this boot: what does not run now was stopped after that
        seen = self._boot_id if self._mark() == self._boot_id else ""
        folder = self._places.state / "agents"
        found = [
            declared(path.parent.name, read_document(path), seen)
            for path in sorted(folder.glob("*/agent.json"))
        ]
        return [agent for agent in found if agent is not None], str(folder)

    def _is_wanted(self, agent: Known) -> bool:
        """Return whether nobody stopped it since: its file is written at once, the set is not."""
        document = read_document(self._places.state / "agents" / agent.name / "agent.json") or {}
        spec = document.get("spec")
        return not isinstance(spec, dict) or spec.get("desired", "running") == "running"

    def _mark(self) -> str:
        try:
            return (self._places.runtime / "boot-id").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def _wait_for_change(self, seconds: float) -> bool:
        """Wait; return whether the manager is still down then."""
        before = self._marks()
        until = self._clock.now() + seconds
        while (rest := until - self._clock.now()) > 0:
            self._clock.wait(min(rest, PAUSED_LOOK))
            manager = self._units.show([MANAGER]).get(MANAGER)
            if manager is not None and stand(manager) is not Standing.DOWN:
                return False
            if self._marks() != before:
                say("its settings or its program were changed")
                break
        return True

    def _marks(self) -> list[int]:
        """Return what changes when somebody mends the manager."""
        paths = (
            self._places.config / "opmas.yaml",
            self._places.units / f"{MANAGER}.d",
            Path("/usr/lib/opmas/opmas-manager"),
        )
        return [_changed_at(path) for path in paths]

    def _report(self, manager: Unit, cause: Cause, left: dict[str, str], seconds: float) -> None:
        document: dict[str, Any] = {
            "since": self._since,
            "boot_id": self._boot_id,
            "pid": os.getpid(),
            "why": cause.name.lower().replace("_", "-"),
            "message": f"{cause.value}: {_ending(manager)}",
            "lines": self._units.last_lines(MANAGER),
            "started": self._started,
            "left": left,
            "attempts": self._attempts - 1,
            "next_attempt": _text(self._clock.wall() + timedelta(seconds=seconds)),
        }
        try:
            write_document(self._places.report, document)
        except OSError as error:  # saying it is not worth failing for
            say(f"cannot write {self._places.report}: {error.strerror}", 4)


def _ending(manager: Unit) -> str:
    status = f" {manager.exit_status}" if manager.exit_code == 1 else ""
    return f"{manager.result}{status} after {manager.restarts} restarts"


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
