"""10,000 kills at random steps of random histories: nothing is stuck, lost, twice or forgotten."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from opmas.core import events
from opmas.core.agent.state import Fact, Pending, Then, fact
from opmas.core.agent.terms import Desired, Phase
from tests.builders import CLD_EXITED, CLD_KILLED
from tests.property.kills import NAMES, Site

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS: Final = 10_000
LANES: Final = 8  # histories of their own
BETWEEN_RESTS: Final = 25
FAST: Final = Path("/dev/shm")  # nothing here is about the disk
GIVEN_UP: Final = {Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED}


@pytest.mark.parametrize("seed", range(LANES))
def test_whatever_step_the_manager_is_killed_at_the_next_one_comes_right(seed: int):
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(dir=FAST) as path:
        site = Site(Path(path))
        rests = 0
        while site.kills < KILLS // LANES:
            site.fuse = chance.randint(1, 12)
            site.survive(lambda: deed(site, chance))
            site.survive(site.deliver)
            if chance.random() < 0.1:
                site.kill(power=chance.random() < 0.2)
            if site.kills >= (rests + 1) * BETWEEN_RESTS:
                rests += 1
                site.rest()
                check(site)
        site.close()

    assert rests


def deed(site: Site, chance: random.Random) -> None:
    """Do one of the things that happen on a host, to one agent."""
    name = chance.choice(NAMES)
    world = site.worlds[name]
    deeds = (
        lambda: site.command(name, events.Start()),
        lambda: site.command(name, events.Stop()),
        lambda: site.command(name, events.Restart()),
        lambda: site.update(name, chance.choice(("1.0", "1.1", "2.0"))),
        lambda: site.configure(name, chance.randint(1, 3)),
        lambda: world.exit(CLD_KILLED, 9),
        lambda: world.exit(CLD_EXITED, chance.choice((1, 78))),
        lambda: ended(site, name, lambda: world.exit(CLD_EXITED, 0)),
        lambda: ended(site, name, world.stop),
        lambda: site.wait(chance.choice((0.3, 5.0, 61.0, 700.0))),
    )
    chance.choice(deeds)()


def ended(site: Site, name: str, how: Callable[[], object]) -> None:
    site.ended.add(name)
    how()


def check(site: Site) -> None:
    assert site.unfinished() == [], "a change is stuck"
    assert sorted(site.writer.roster.agents) == list(NAMES), "an agent is lost"
    for name in NAMES:
        agent, world = site.agent(name), site.worlds[name]
        assert agent.pending is Pending.NOTHING, agent
        assert agent.then is Then.NOTHING, agent
        assert not agent.paused, agent
        assert (agent.phase is Phase.RUNNING) == world.is_up, (agent, world.state)
        wanted = agent.spec.desired is Desired.RUNNING
        if wanted and not world.is_up:
            assert agent.phase in GIVEN_UP or name in site.ended, agent
        assert fact(agent.unit) is fact(world.state) or not world.is_up
    nothing_runs_twice(site)
    numbers = site.sequences()
    assert numbers == list(range(1, len(numbers) + 1)), "the event log has a gap"


def nothing_runs_twice(site: Site) -> None:
    """Kill a manager that has nothing to do: no unit is started anew by the next one."""
    up = {name: world.starts for name, world in site.worlds.items() if world.is_up}
    site.kill()
    site.deliver()
    assert {name: site.worlds[name].starts for name in up} == up
    assert all(fact(site.worlds[name].state) is Fact.ACTIVE for name in up)
