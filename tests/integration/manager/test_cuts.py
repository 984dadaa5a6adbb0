"""The manager is killed between a save and what follows from it: the next one comes right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from collections.abc import Callable

CUTS = range(4)  # saves after the request; more than any of the stories below needs


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def cut_after(place: Place, saves: int) -> Callable[[], bool]:
    """Let no effect, event or answer follow that save, nor anything later; tell when it is so."""
    writer = place.manager.writer
    save, count = writer.saver.save, [0]

    def cut(*args: Any) -> Any:
        stored = save(*args)
        count[0] += bool(stored)
        if count[0] > saves:
            writer.carry_out = lambda _effects: None
            setattr(writer, "turn", lambda _items: None)  # noqa: B010 -- a method, put out of work
        return stored

    setattr(writer.saver, "save", cut)  # noqa: B010 -- a method, watched
    return lambda: count[0] > saves


def at_rest(place: Place) -> bool:
    on_the_way = {"starting", "stopping"}
    agents = place.manager.writer.roster.agents.values()
    return not any(a.phase in on_the_way or a.then != "nothing" for a in agents)


def files_of(place: Place) -> dict[str, Any]:
    """Return the configuration in the files of each agent."""
    found = place.path.glob("state/agents/*/config.json")
    return {f.parent.name: json.loads(f.read_text())["config"] for f in found}


def configs(place: Place) -> dict[str, Any]:
    agents = place.manager.writer.roster.agents.values()
    return {a.name: {"naps": 1, **a.spec.config} for a in agents}


STORIES: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "create": ({}, {"method": "agent.put", "package": "nap"}, {"running"}),
    "start": ({"desired": "stopped"}, {"method": "agent.start"}, {"running"}),
    "stop": ({"desired": "running"}, {"method": "agent.stop"}, {"stopped"}),
    "restart": ({"desired": "running"}, {"method": "agent.restart"}, {"running"}),
    "remove": ({"desired": "running"}, {"method": "agent.remove"}, set()),
    "purge": ({"desired": "running"}, {"method": "agent.remove", "purge": True}, set()),
    "update": (
        {"desired": "running"},
        {"method": "agent.put", "package": "nap", "config": {"naps": 7}},
        {"running"},
    ),
}


@pytest.mark.parametrize("saves", CUTS)
@pytest.mark.parametrize("story", STORIES)
@in_loop
async def test_a_manager_killed_after_any_save_is_followed_by_one_that_ends_the_work(
    place, story, saves
):
    beginning, request, phases = STORIES[story]
    async with place:
        for _ in range(bool(beginning)):
            await place.create(**beginning)
        is_cut = cut_after(place, saves)
        await place.call(**request, name="web")
        await place.until(lambda: is_cut() or at_rest(place), "the cut, or the end")
        await place.kill()
        await place.start()

        await place.until(lambda: at_rest(place), "the work is done")

        agents = (await place.call("agent.list"))["agents"]
        assert {a["phase"] for a in agents} == phases
        assert {n for n, u in place.units.states.items() if u.active_state == "active"} == {
            a["unit"] for a in agents if a["phase"] == "running"
        }
        await place.until(lambda: files_of(place) == configs(place), "the files say what holds")
        assert len(list(place.unit_dir.glob("*.d/50-opmas.conf"))) == len(agents)
        sequences = [e["sequence"] for e in await place.events(after=0)]
        assert sequences == list(range(1, len(sequences) + 1))
