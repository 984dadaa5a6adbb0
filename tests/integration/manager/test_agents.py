"""Agents over the control socket, on a fake systemd."""

from __future__ import annotations

import pytest

from opmas.errors import (
    AgentExistsError,
    GrantError,
    InvalidError,
    RevisionError,
    UnknownAgentError,
    UnknownPackageError,
)
from tests.integration.manager.place import Place
from tests.loop import in_loop


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


@in_loop
async def test_an_agent_is_created_runs_and_is_shown(place):
    async with place:
        view = await place.create(config={"naps": 2}, limits={"memory_max": "64M"})

        assert (view["phase"], view["health"], view["revision"]) == ("running", "healthy", 1)
        assert view["limits"]["memory_max"] == 64 << 20
        assert (place.unit_dir / "opmas-agent@web.service.d/50-opmas.conf").exists()
        assert not (await place.call("host.status"))["problems"]


@in_loop
async def test_an_agent_that_is_not_wanted_is_only_registered(place):
    async with place:
        view = await place.create(desired="stopped")

        assert (view["phase"], view["desired"]) == ("registered", "stopped")


@in_loop
async def test_stop_start_and_restart_answer_when_it_is_done(place):
    async with place:
        first = await place.create()

        assert (await place.call("agent.stop", name="web", wait=10))["phase"] == "stopped"
        assert (await place.call("agent.start", name="web", wait=10))["phase"] == "running"
        again = await place.call("agent.restart", name="web", wait=10)

        assert again["phase"] == "running"
        assert again["main_pid"] != first["main_pid"]


@in_loop
async def test_a_crash_is_in_the_event_log_with_its_signal(place):
    async with place:
        await place.create()

        place.units.crash("web")
        await place.until(lambda: place.manager.writer.roster.get("web").last_exit, "it exited")
        view = await place.phase("running")

        assert view["last_exit"]["signal"] == "SIGKILL"
        [exited] = await place.events(type="opmas.agent.exited", after=0)
        assert exited["data"]["signal"] == "SIGKILL"
        assert exited["subject"] == "agent/web"


@in_loop
async def test_a_stop_with_systemctl_is_held_until_a_start(place):
    async with place:
        await place.create()

        place.units.admin_stop("web")
        held = await place.phase("stopped")
        assert (held["held_by"], held["desired"]) == ("systemctl", "running")
        explained = await place.call("agent.explain", name="web")
        assert "opmas agent start web" in explained["next"]
        back = await place.call("agent.start", name="web", wait=10)

        assert (back["phase"], back["held_by"]) == ("running", None)


@in_loop
async def test_a_removed_agent_leaves_no_file(place):
    async with place:
        await place.create()

        await place.call("agent.remove", name="web", wait=10)

        assert await place.call("agent.list") == {"agents": []}
        assert list(place.unit_dir.rglob("*")) == []
        assert list((place.path / "state/agents").rglob("*")) == []


@in_loop
async def test_a_new_config_is_live_for_limits_and_waits_for_a_restart_of_a_program(place):
    async with place:
        await place.create()

        view = await place.create(config={"naps": 5}, limits={"tasks_max": 7})
        assert (view["config_version"], view["revision"], view["needs_restart"]) == (2, 2, True)
        await place.until(lambda: place.units.limits, "the limits are set")
        view = await place.call("agent.restart", name="web", wait=10)

        assert view["needs_restart"] is False
        assert place.units.limits["opmas-agent@web.service"]["TasksMax"] == 7


@in_loop
async def test_new_limits_are_in_force_and_on_the_disk_and_need_no_restart(place):
    async with place:
        await place.create()

        view = await place.create(limits={"tasks_max": 7})

        drop_in = place.unit_dir / "opmas-agent@web.service.d/50-opmas.conf"
        assert "TasksMax=7\n" in drop_in.read_text()
        assert view["needs_restart"] is False
        assert view["own_limits"] == {"tasks_max": 7}


@in_loop
async def test_a_drop_in_that_somebody_removed_is_written_again(place):
    async with place:
        await place.create()
        drop_in = place.unit_dir / "opmas-agent@web.service.d/50-opmas.conf"
        text = drop_in.read_text()

        drop_in.unlink()
        await place.until(drop_in.exists, "it is there again")

        assert drop_in.read_text() == text


@pytest.mark.parametrize(
    ("params", "error", "problem"),
    [
        ({"config": {"naps": "x"}}, InvalidError, "config.naps: must be of type integer"),
        ({"config": {"nap": 1}}, InvalidError, "config"),
        ({"limits": {"memory_max": "lots"}}, InvalidError, "limits.memory_max"),
        ({"limits": {"memory": "1G"}}, InvalidError, "limits.memory: unknown key"),
        ({"desired": "up"}, InvalidError, "desired: must be"),
        ({"colour": "red"}, InvalidError, "colour: unknown key"),
        ({"after": ["web"]}, InvalidError, "after: must not name the agent itself"),
        ({"grants": ["network=full"]}, InvalidError, "grants: network=full"),
        ({"config": []}, InvalidError, "config: must be a mapping"),
    ],
)
@in_loop
async def test_a_bad_field_is_named_and_changes_nothing(place, params, error, problem):
    async with place:
        with pytest.raises(error) as caught:
            await place.create(**params)

        assert any(p.startswith(problem) for p in caught.value.problems)
        assert await place.call("agent.list") == {"agents": []}
        assert not place.unit_dir.exists()


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a\nb", "a%i", "a\\x2d", "x" * 300, "ä", "-a", "a-", "A", "a b", 7]
)
@in_loop
async def test_a_bad_name_is_refused_and_changes_nothing(place, name):
    async with place:
        with pytest.raises(InvalidError, match="name: "):
            await place.create(name)

        assert await place.call("agent.list") == {"agents": []}


@in_loop
async def test_unknown_names_are_refused_with_the_nearest(place):
    async with place:
        await place.create()

        with pytest.raises(UnknownAgentError, match='did you mean "web"'):
            await place.call("agent.start", name="wep")
        with pytest.raises(UnknownPackageError, match='did you mean "nap"'):
            await place.create("other", package="nop")


@in_loop
async def test_a_second_creation_and_a_stale_revision_are_refused(place):
    async with place:
        await place.create()

        with pytest.raises(AgentExistsError):
            await place.create(create_only=True)
        with pytest.raises(RevisionError, match="revision 1, not 9"):
            await place.create(config={"naps": 3}, expect=9)

        assert (await place.show())["config"] == {}


@in_loop
async def test_what_a_package_asks_for_is_shown_and_must_be_granted(place):
    place.add_package("nosy", "sandbox: {proc: host}")
    async with place:
        with pytest.raises(GrantError) as caught:
            await place.create("spy", package="nosy")
        assert caught.value.problems[0].startswith("proc=host: ")

        view = await place.create("spy", package="nosy", grants=["proc=host"])

        assert view["grants"] == view["needs"] == ["proc=host"]


@in_loop
async def test_a_boot_starts_what_is_wanted_in_order(place):
    async with place:
        await place.create("c", after=["b"])
        await place.create("b", after=["a"])
        await place.create("a")
        await place.create("off", desired="stopped")
        last = (await place.call("host.status"))["events"]["last"]

        await place.reboot()
        await place.phase("running", "c")

        phases = await place.events(type="opmas.agent.phase", after=last)
        started = [e["subject"] for e in phases if e["data"]["to"] == "running"]
        assert started == ["agent/a", "agent/b", "agent/c"]
        assert (await place.show("off"))["phase"] == "stopped"
