"""Kills at every saved step, driven by the saves themselves: the harness of test_change_cuts.py.

A story is told again and again. In its turn N the manager is killed after its save number N, and
the next one goes on; it ends with the turn that needs no more saves. What follows from a save is
either lost with it, or done without anybody who hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from opmas.bundles.installation import verify_installed
from opmas.errors import OpmasError
from tests.integration.manager.place import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from opmas.core.agent.state import Agent
    from opmas.core.job import Job
    from opmas.packages.catalogue import Package
    from tests.integration.manager.worker import Death

MOST_LIVES = 60
ENDS = {"committed", "reverted", "refused"}


@dataclass(frozen=True)
class Host:
    """What a story may lead to: of each agent its version, configuration and data; the store."""

    agents: dict[str, tuple[str, dict[str, Any], str]] = field(default_factory=dict)
    installed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Story:
    """What somebody asks for, and where the host was before and is after it."""

    begin: Callable[[Place], Awaitable[None]]
    ask: Callable[[Place], Awaitable[object]]
    old: Host
    new: Host
    between: tuple[Host, ...] = ()  # of a request for several changes
    bad: frozenset[str] = frozenset()  # versions that do not come up
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)


class Cut:
    """Ends what follows from a save: the first after `saves` of them."""

    def __init__(self, place: Place, saves: int, *, carried_out: bool) -> None:
        self.made = 0
        self._saves = saves
        self._carried_out = carried_out
        self._writer = place.manager.writer
        database = place.manager._databases.current
        assert database is not None
        self._save = database.save
        database.save = self._counted  # type: ignore[method-assign]

    @property
    def is_made(self) -> bool:
        return self.made > self._saves

    def _counted(self, batch: Any) -> Any:
        numbers = self._save(batch)
        self.made += 1
        if self.made == self._saves + 1:
            writer, carry_out = self._writer, self._writer.carry_out
            once = carry_out if self._carried_out else _nothing
            writer.carry_out = lambda effects: once(list(effects))
            setattr(writer, "turn", _nothing)  # noqa: B010 -- a method, put out of work
        return numbers


def _nothing(*_args: Any) -> None:
    return None


def place_of(story: Story, path: Path) -> Place:
    """Return the place; what is killed are processes, so nothing waits for the disk."""
    place = Place(path, **story.sections)

    def run(unit: str) -> None:
        """Let a version that is bad fail whenever it is started."""
        version = version_on_disk(place, unit)
        place.units.failing.pop(unit, None)
        if version in story.bad:
            place.units.failing[unit] = 1

    place.units.runs = run
    return place


def version_on_disk(place: Place, unit: str) -> str:
    """Return the version that systemd would start the unit from."""
    text = (place.unit_dir / f"{unit}.d/50-opmas.conf").read_text()
    found = re.search(r"packages/[a-z]+/([0-9.]+)", text)
    if found:
        return found.group(1)
    [system] = place.path.glob("system/*/agent.yaml")
    [version] = re.findall(r"version: (.*)", system.read_text())
    return str(version).strip(chr(34))


async def tell(story: Story, path: Path, saves: int, *, carried_out: bool) -> bool:
    """Tell the story with that cut, check what the next manager makes of it; was there a cut?"""
    async with place_of(story, path) as place:
        await begin(place, story)
        known = place.manager.writer.roster.last_change
        cut = Cut(place, saves, carried_out=carried_out)
        asked: asyncio.Future[object] = asyncio.ensure_future(story.ask(place))
        await place.until(partial(is_cut_or_over, place, cut, asked), "the cut")
        if cut.is_made:
            await effects_are_done(place)
        await place.kill()
        with contextlib.suppress(OpmasError):
            await asked
        await place.start()
        quick(place)
        await at_rest(place)
        await check(place, story, known)
        return cut.is_made


async def tell_in_lives(story: Story, path: Path, carried_out: bool) -> int:
    """Tell the story while each manager is killed after its first save; return how many were."""
    async with place_of(story, path) as place:
        await begin(place, story)
        known = place.manager.writer.roster.last_change
        asked: asyncio.Future[object] = asyncio.ensure_future(story.ask(place))
        lives = 0  # that were ended
        while lives < MOST_LIVES:
            cut = Cut(place, 0, carried_out=carried_out)
            await place.until(partial(is_cut_or_over, place, cut, asked), "the cut")
            if not cut.is_made:
                break
            await effects_are_done(place)
            await place.kill()
            with contextlib.suppress(OpmasError):
                await asked
            await place.start()
            quick(place)
            lives += 1
        await at_rest(place)
        await check(place, story, known)
        return lives


def is_cut_or_over(place: Place, cut: Cut, asked: asyncio.Future[object]) -> bool:
    return cut.is_made or (asked.done() and is_over(place))


async def tell_killing(
    story: Story, path: Path, dies: Callable[[int, Job], Death | None]
) -> list[Job]:
    """Tell the story while runs of workers are killed, as `dies` says of the run of a number."""
    async with place_of(story, path) as place:
        await begin(place, story)
        known = place.manager.writer.roster.last_change
        place.worker.runs.clear()
        place.worker.dies = lambda job: dies(len(place.worker.runs) - 1, job)
        await story.ask(place)
        await at_rest(place)
        await check(place, story, known)
        return list(place.worker.runs)


async def begin(place: Place, story: Story) -> None:
    quick(place)
    await story.begin(place)
    await at_rest(place)


async def effects_are_done(place: Place) -> None:
    """Wait until what was asked of systemd and of the workers has come to its end."""
    parts = place.manager.carrier._tasks, place.manager.changing.tasks._running
    await place.until(lambda: not any(parts) and not place.units.at_work(), "all is quiet")


async def at_rest(place: Place) -> None:
    await place.until(lambda: is_over(place), f"rest: {shown(place)}")
    await place.until(lambda: not place.manager.changing.tasks._running, "the rest is tidied")


def is_over(place: Place) -> bool:
    roster = place.manager.writer.roster
    moving = {"starting", "stopping"}
    return all(c.is_final for c in roster.changes.values()) and not any(
        a.phase in moving or a.pending != "nothing" or a.then != "nothing"
        for a in roster.agents.values()
    )


def shown(place: Place) -> str:
    roster = place.manager.writer.roster
    changes = [(c.id, str(c.kind), str(c.state), c.message) for c in roster.changes.values()]
    agents = [(a.name, str(a.phase), str(a.pending)) for a in roster.agents.values()]
    return f"{changes} {agents}"


async def check(place: Place, story: Story, known: int) -> None:
    """The changes after those that were known before ended, and the host is as they say."""
    roster = place.manager.writer.roster
    ends = {str(c.state) for c in roster.changes.values()}
    assert ends <= ENDS, shown(place)
    host = host_of(place)
    assert host in (story.old, story.new, *story.between), (host, shown(place))
    wanted = [c for c in roster.changes.values() if c.id > known]
    if wanted and not story.between:
        kept = all(c.state == "committed" for c in wanted)
        assert host == (story.new if kept else story.old), (host, shown(place))
    for agent in roster.agents.values():
        assert (str(agent.phase), agent.paused) == ("running", False), shown(place)
    await check_systemd(place)
    check_nothing_is_left(place)
    await check_events(place)


def host_of(place: Place) -> Host:
    """Return what is there, as the roster, the disk and the data tell it."""
    agents = {
        a.name: (a.spec.version, dict(a.spec.config), data_of(place, a.name))
        for a in place.manager.writer.roster.agents.values()
    }
    folders = place.packages.glob("[!.]*/*")
    installed = {f"{f.parent.name} {f.name}" for f in folders}
    installed |= {f"{deb.name} {deb.version}" for deb in place.debs.values()}
    for folder in place.packages.glob("[!.]*/*"):
        assert verify_installed(folder) == (), folder
    return Host(agents, frozenset(installed))


def data_of(place: Place, agent: str) -> str:
    data = place.paths.agent_states / agent / "data"
    return data.read_text() if data.exists() else ""


async def check_systemd(place: Place) -> None:
    """Each agent has one run, of the version and with the files that it is to have."""
    agents = place.manager.writer.roster.agents.values()
    up = {u for u, state in place.units.states.items() if state.active_state == "active"}
    assert up == {f"opmas-agent@{a.name}.service" for a in agents}
    for agent in agents:
        package = place.manager.shelf.packages.of(agent.spec)
        assert package is not None
        await place.until(partial(files_are_current, place, agent, package), "the files are right")
        assert agent.started_with == place.manager._digest(agent.spec) or agent.spec.config
    drop_ins = list(place.unit_dir.glob("*.d/50-opmas.conf"))
    assert len(drop_ins) == len(agents), drop_ins


def files_are_current(place: Place, agent: Agent, package: Package) -> bool:
    version = place.manager.writer.saver.records[agent.name].config_version
    return place.manager._files.are_current(agent.spec, package, version)


def check_nothing_is_left(place: Place) -> None:
    """No job, no copy of data, nothing half unpacked."""
    for folder in ("jobs", "snapshots", "packages/.staging"):
        found = (place.path / "state" / folder).glob("*")
        left = [path for path in found if not path.name.startswith(".lock")]
        assert not left, left


async def check_events(place: Place) -> None:
    told = await place.events(after=0)
    assert [e["sequence"] for e in told] == list(range(1, len(told) + 1))
    states: dict[int, str] = {}
    for event in told:
        if event["type"] == "opmas.change.state":
            data = event["data"]
            assert data["from"] == states.get(data["id"], ""), (data, states)
            states[data["id"]] = data["to"]
    assert set(states.values()) <= ENDS, states


def quick(place: Place) -> None:
    """Let the database not wait for the disk."""
    database = place.manager._databases.current
    assert database is not None
    database._connection.execute("PRAGMA synchronous = OFF")


def without_sync(monkeypatch: Any) -> None:
    """Let files not wait for the disk."""
    monkeypatch.setattr(os, "fsync", _nothing)
