"""A host on which agents misbehave side by side, and what is seen of each of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from opmas.client.control import ManagerClient
from opmas.packages.yamlfile import read_yaml
from tests.system.manager.opmas import AGENTS, Opmas
from tests.system.misbehaviour.corpus import AGAIN, BUSY, CORPUS, Misbehaviour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PACKAGE: Final = "misbehaver"
PLACE: Final = "/opt/agents"
DATA: Final = "/var/lib/private/opmas-agents"
SERVER: Final = "-server"
DELAY: Final = 0.3  # seconds between two looks at all of them
TOLD_BY: Final = {
    "opmas.agent.health": "to",
    "opmas.agent.recovery": "rung",
    "opmas.alert.raised": "alert",
    "opmas.alert.cleared": "alert",
}
LIFE: Final = ("opmas.agent.phase", "opmas.agent.exited")
UNTOLD: Final = ("opmas.change.", "opmas.agent.created", "opmas.agent.updated")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one misbehaviour: its events, the agent at the end, and how it is explained."""

    events: tuple[dict[str, Any], ...]
    view: dict[str, Any]
    figures: dict[str, float]
    explanation: str
    seen_at: float

    @property
    def words(self) -> list[str]:
        """What the event log tells, each thing once."""
        return list(dict.fromkeys(word for event in self.events for word in words(event)))

    @property
    def story(self) -> list[str]:
        """What it tells of phases and exits."""
        life = {word for event in self.events if event["type"] in LIFE for word in words(event)}
        return [word for word in self.words if word in life]

    @property
    def took(self) -> float:
        """Seconds from the first event to the last, but those in which a program was starting:
        on a crowded machine that may take any time.
        """
        seconds, is_starting = 0.0, True
        for event, following in pairwise(self.events):
            if event["type"] == "opmas.agent.phase":
                is_starting = event["data"]["to"] == "starting"
            seconds += 0 if is_starting else instant(following) - instant(event)
        return seconds

    @property
    def share(self) -> float:
        """CPU time in each second that it ran, from its first start on."""
        return self.figures["cpu_seconds"] / (self.seen_at - instant(self.events[0]))

    def restarts(self) -> list[float]:
        """Return how many seconds after each exit systemd was about to start it again."""
        return [
            instant(b) - instant(a)
            for a, b in pairwise(self.events)
            if a["type"] == "opmas.agent.exited" and words(b) == [AGAIN]
        ]

    def pauses(self, before: str, after: str) -> list[float]:
        """Return how many seconds went by each time from the one thing to the other."""
        found, begin = [], None
        for event in self.events:
            if before in words(event):
                begin = instant(event)
            elif after in words(event) and begin is not None:
                found.append(instant(event) - begin)
                begin = None
        return found


def words(event: dict[str, Any]) -> list[str]:
    """Return the event in a few words, as the rows of the corpus have them."""
    kind, data = event["type"], event["data"]
    match kind:
        case "opmas.agent.phase":
            return [f"{data['to']}: {data['reason']}"]
        case "opmas.agent.exited":
            return [f"exited: {data['result']} {data['signal'] or data['status']}"]
        case "opmas.agent.pressure":
            return [f"pressure: {sign['code']}" for sign in data["signs"]]
        case _:
            name = kind.removeprefix("opmas.").removeprefix("agent.")
            return [f"{name}: {data[TOLD_BY[kind]]}" if kind in TOLD_BY else name]


def instant(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


class Stage(Opmas):
    """One host; its `root` is looked up once, for it is asked often."""

    @cached_property
    def root(self) -> Path:
        return self.host.root

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        with ManagerClient(str(self.root / "run/opmas/manager.sock"), timeout=60) as client:
            return client.call(method, **params)

    def supply(self, rows: Iterable[Misbehaviour]) -> None:
        """Give the host the packages of those that differ by more than their configuration."""
        document = read_yaml(AGENTS / PACKAGE / "agent.yaml")
        assert isinstance(document, dict)
        for row in rows:
            if name := own_package(row):
                self.host.run("cp", "-r", f"{PLACE}/{PACKAGE}", f"{PLACE}/{name}")
                requires = [row.name + SERVER] if row.server else []
                keys = {"name": name, "requires": requires, **row.keys}
                text = json.dumps({**document, **keys})
                write = ("sh", "-c", 'cat > "$1"', "sh", f"{PLACE}/{name}/agent.yaml")
                self.host.run(*write, input=text)
        self.call("package.scan")

    def perform(self, rows: Sequence[Misbehaviour] = CORPUS) -> dict[str, Outcome]:
        """Have all of them misbehave at once, until each is at its end or its time is over."""
        last = self.last_event()
        at_work = {row.name: row for row in rows}
        told: dict[str, list[dict[str, Any]]] = {row.name: [] for row in rows}
        for row in rows:
            self._begin(row)
        deadline = time.monotonic() + max(row.within for row in rows) + 4 * BUSY
        found: dict[str, Outcome] = {}
        while at_work:
            time.sleep(DELAY)
            views = {view["name"]: view for view in self.call("agent.list")["agents"]}
            last = self._hear(told, last)
            is_over = time.monotonic() > deadline
            for row in list(at_work.values()):
                view, events = views[row.name], told[row.name]
                if self._carry_on(row, view, events) or is_over:
                    found[row.name] = self._outcome(events, view)
                    del at_work[row.name]
        return found

    def _hear(self, told: dict[str, list[dict[str, Any]]], last: int) -> int:
        """Add what was told of each since the event, and return the last one."""
        for event in self.events(last):
            last = event["sequence"]
            name = event["subject"].removeprefix("agent/")
            if name in told and not event["type"].startswith(UNTOLD):
                told[name].append(event)
        return last

    def _begin(self, row: Misbehaviour) -> None:
        if row.disk:
            self._give_disk(row.name, row.disk)
        if row.server:
            self.call("agent.put", name=row.name + SERVER, package=PACKAGE, config=row.server)
        config = {"how": row.how, "after": row.after, "lives": row.lives}
        package = own_package(row) or PACKAGE
        limits = dict(row.limits)
        self.call("agent.put", name=row.name, package=package, config=config, limits=limits)

    def _carry_on(
        self, row: Misbehaviour, view: dict[str, Any], events: list[dict[str, Any]]
    ) -> bool:
        """Stop the agent when it is time; return whether it is at its end."""
        seen = {word for event in events for word in words(event)}
        if row.stop and view["desired"] == "running":
            is_up = view["phase"] == "running" and seen.issuperset(row.told)
            if is_up and self._has_reached(row, view):
                self.call("agent.stop", name=row.name)
            return False
        is_whole = seen.issuperset((*row.expected(()), *row.told))
        is_there = f"{view['phase']}: {view['reason']}" == row.end
        return is_whole and is_there and (row.stop or self._has_reached(row, view))

    def _has_reached(self, row: Misbehaviour, view: dict[str, Any]) -> bool:
        figures = self._figures(view)
        return all(figures[key] >= value for key, value in row.reaches.items())

    def _figures(self, view: dict[str, Any]) -> dict[str, float]:
        """Return what the agent uses, and how many lines it wrote."""
        found = {key: value or 0 for key, value in view["usage"].items()}
        lines = self.root / DATA[1:] / view["name"] / "lines"
        return {**found, "lines": int(lines.read_text()) if lines.exists() else 0}

    def _outcome(self, events: list[dict[str, Any]], view: dict[str, Any]) -> Outcome:
        said = self.call("agent.explain", name=view["name"])
        explanation = " ".join((said["summary"], *said["sentences"], said["next"]))
        return Outcome(tuple(events), view, self._figures(view), explanation, time.time())

    def remove(self, rows: Sequence[Misbehaviour] = CORPUS) -> None:
        """Remove their agents with all that they wrote."""
        for row in rows:
            if row.disk:
                self.run("agent", "stop", row.name)
                self.host.run("umount", f"{DATA}/{row.name}")
        servers = [row.name + SERVER for row in rows if row.server]
        for name in (*(row.name for row in rows), *servers):
            self.call("agent.remove", name=name, purge=True, wait=30)

    def _give_disk(self, name: str, size: str) -> None:
        """Give the agent's data a file system of its own, before the agent is made."""
        mount = 'mkdir -p -m 700 "$1" && mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1"'
        self.host.run("sh", "-c", mount, "sh", f"{DATA}/{name}", size)


def own_package(row: Misbehaviour) -> str:
    """Return the name of a package that only this row has, if it takes one."""
    return f"{PACKAGE}-{row.name}" if row.keys or row.server else ""
