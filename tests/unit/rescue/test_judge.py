"""What the rescue makes of units, as `systemctl show` tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.rescue.judge import (
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
from opmas.rescue.systemd import parse_units

BOOT = "boot-2"
WEB = "opmas-agent@web.service"
# Times as systemd 252 told them: refused after RestartSec=1, and stopped by hand.
REFUSED = {"exited_at": 3.793196, "went_down_at": 5.046238, "changed_at": 5.048387}
BY_HAND = {"exited_at": 10.564384, "went_down_at": 10.564796, "changed_at": 10.564796}


def manager(**changes: Any) -> Unit:
    given = {"active": "failed", "sub": "failed", "result": "exit-code", "exit_code": 1}
    return Unit("opmas-manager.service", **{**given, "exit_status": 1, **REFUSED, **changes})


def agent(**changes: Any) -> Unit:
    return Unit(WEB, **changes)


def planned(unit: Unit | None, boot_id: str = "boot-1", **changes: Any) -> tuple[list[str], Any]:
    units = {} if unit is None else {WEB: unit}
    given = {"has_drop_in": lambda _: True, "started": ()}
    return plan([Known("web", WEB, boot_id)], units, boot_id=BOOT, **{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({"active": "active"}, Standing.UP),
        ({"active": "reloading"}, Standing.UP),
        ({"active": "activating", "sub": "auto-restart"}, Standing.MOVES),
        ({"active": "deactivating"}, Standing.MOVES),
        ({"has_job": True}, Standing.MOVES),
        ({"active": "inactive"}, Standing.STOPPED),
        ({"load": "masked"}, Standing.STOPPED),
        ({"load": "not-found"}, Standing.STOPPED),
        ({"result": "timeout", **BY_HAND}, Standing.STOPPED),
        ({}, Standing.DOWN),
    ],
)
def test_the_manager_is_down_only_when_systemd_has_given_it_up(
    changes: dict[str, Any], standing: Standing
) -> None:
    assert stand(manager(**changes)) is standing


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, Cause.CRASH_LOOP),
        ({"result": "watchdog", "exit_code": 3, "exit_status": 6}, Cause.CRASH_LOOP),
        ({"exit_status": 78, **BY_HAND}, Cause.SETTINGS),
        ({"result": "start-limit-hit", "exit_status": 0}, Cause.START_LIMIT),
        ({"result": "timeout", "exit_code": 2, "exit_status": 9, **BY_HAND}, Cause.ASKED),
        ({"exit_status": 3, **BY_HAND}, Cause.ASKED),
        (
            {"exited_at": 0.0, **dict.fromkeys(("changed_at", "went_down_at"), 1.0)},
            Cause.CRASH_LOOP,
        ),
    ],
)
def test_why_the_manager_is_down(changes: dict[str, Any], cause: Cause) -> None:
    assert cause_of(manager(**changes)) is cause


@pytest.mark.parametrize(
    ("attempt", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 30), (5, 30), (100, 30)]
)
def test_the_pauses_grow_and_end_at_half_an_hour(attempt: int, minutes: int) -> None:
    assert pause(attempt, Cause.CRASH_LOOP) == minutes * 60


def test_a_manager_that_was_only_started_too_often_is_tried_at_once() -> None:
    assert [pause(n, Cause.START_LIMIT) for n in (1, 2)] == [1.0, 300.0]


@pytest.mark.parametrize(("state", "wanted"), [("enabled", True), ("disabled", False), ("", True)])
def test_a_disabled_manager_is_not_tried_again(state: str, wanted: bool) -> None:
    assert is_wanted(manager(enabled=state)) is wanted


def test_an_agent_that_never_ran_in_this_boot_is_started() -> None:
    assert planned(agent()) == ([WEB], {})


def test_an_agent_that_systemd_has_given_up_is_started() -> None:
    unit = agent(active="failed", result="watchdog", **REFUSED)

    assert planned(unit, BOOT) == ([WEB], {})


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading"])
def test_an_agent_that_runs_or_is_about_to_is_left_alone(state: str) -> None:
    assert planned(agent(active=state)) == ([], {})


def test_an_agent_of_which_systemd_says_nothing_is_left_alone() -> None:
    assert planned(None) == ([], {})


@pytest.mark.parametrize(
    ("unit", "changes", "reason"),
    [
        (agent(went_down_at=9.0), {}, "it was stopped in this boot"),
        (agent(), {"boot_id": BOOT}, "it was stopped in this boot"),
        (agent(), {"started": [WEB]}, "it was stopped in this boot"),
        (agent(active="failed", result="timeout", **BY_HAND), {}, "it was stopped in this boot"),
        (
            agent(active="failed", exit_code=1, exit_status=78, **REFUSED),
            {},
            "it refuses its configuration (status 78)",
        ),
        (agent(load="masked"), {}, "its unit is masked"),
        (agent(), {"has_drop_in": lambda _: False}, "it is not declared any more"),
    ],
)
def test_what_was_stopped_or_refuses_to_run_is_left_as_it_is(
    unit: Unit, changes: dict[str, Any], reason: str
) -> None:
    assert planned(unit, **changes) == ([], {"web": reason})


def test_an_agent_whose_data_a_change_was_at_stays_down_even_after_a_boot() -> None:
    agents = [Known("web", WEB, "boot-1", paused="yes")]

    wanted, left = plan(agents, {WEB: agent()}, lambda _: True, BOOT, ())

    assert wanted == []
    assert left == {"web": "a change was at its data or its version"}


def test_agents_start_in_the_order_of_the_last_known_good_set() -> None:
    names = ["db", "web", "api"]
    agents = [Known(name, f"opmas-agent@{name}.service") for name in names]
    units = {each.unit: Unit(each.unit) for each in agents}

    wanted, _ = plan(agents, units, lambda _: True, BOOT, ())

    assert wanted == [f"opmas-agent@{name}.service" for name in names]


@pytest.mark.parametrize(
    "document", [None, {}, {"agents": None}, {"agents": {"web": 1}}, {"agents": "web"}]
)
def test_a_strange_last_good_file_is_as_good_as_none(document: dict[str, Any] | None) -> None:
    assert known_agents(document) is None


def test_only_units_of_agents_are_taken_from_the_file() -> None:
    rows: list[Any] = [
        {"name": "web", "unit": WEB, "boot_id": BOOT, "version": "1.0"},
        {"name": "x", "unit": "ssh.service"},
        "web",
        {},
    ]

    assert known_agents({"agents": rows}) == [Known("web", WEB, BOOT, "1.0")]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"spec": {"desired": "running"}}, Known("web", WEB, BOOT)),
        ({"spec": {"desired": "stopped"}}, None),
        ({"spec": []}, None),
        (None, None),
    ],
)
def test_without_that_file_what_is_declared_to_run_is_known(document: Any, found: Any) -> None:
    assert declared("web", document, BOOT) == found


def test_what_systemctl_shows_is_read() -> None:
    text = (
        "Id=opmas-manager.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\n"
        "Result=exit-code\nUnitFileState=enabled\nExecMainCode=1\nExecMainStatus=1\nNRestarts=3\n"
        "MainPID=0\nExecMainExitTimestampMonotonic=3793196\n"
        "StateChangeTimestampMonotonic=5048387\nInactiveEnterTimestampMonotonic=5046238\nJob=0\n"
        f"\nId={WEB}\nLoadState=loaded\nActiveState=activating\nJob=77\nNRestarts=[not set]\n"
    )

    found, web = parse_units(text)

    assert found == manager(enabled="enabled", restarts=3)
    assert (web.name, web.has_job, web.restarts, web.exited_at) == (WEB, True, 0, 0.0)
