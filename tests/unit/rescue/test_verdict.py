"""Whether an upgrade is good, judged look by look."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.rescue.judge import Unit
from opmas.rescue.verdict import Look, Verdict, Watch, judge, may_guard

OLD, NEW = "0.3.0", "0.3.1"
UP = Unit("opmas-manager.service", active="active", pid=10)
DOWN = Unit(
    "opmas-manager.service", active="failed", result="exit-code", exit_code=1, exit_status=1,
    exited_at=1.0, went_down_at=2.0, changed_at=2.1,
)  # fmt: skip
REFUSES = DOWN._replace(exit_status=78, went_down_at=2.0, changed_at=2.0, exited_at=2.0)
COMES = UP._replace(active="activating", pid=11)
STOPPED = UP._replace(active="inactive", pid=0)


def look(at: float, manager: Unit | None = UP, **changes: Any) -> Look:
    given = {"installed": NEW, "whole": True, "answers": manager is not None and manager.pid == 10}
    return Look(at, manager=manager, **{**given, **changes})


def follow(*looks: Look) -> tuple[Verdict, str]:
    """The judgement after the last look, when none before ended it."""
    watch = Watch(looks[0].at)
    for each in looks[:-1]:
        watch, judgement = judge(watch, each, NEW)
        assert judgement.verdict is Verdict.WAIT
    _, judgement = judge(watch, looks[-1], NEW)
    return judgement.verdict, judgement.reason


def test_a_minute_up_and_answering_is_well() -> None:
    assert follow(look(0), look(30), look(60))[0] is Verdict.WELL


def test_the_minute_begins_anew_with_each_process() -> None:
    other = UP._replace(pid=12)

    assert follow(look(0), look(59), look(61, other, answers=True))[0] is Verdict.WAIT


def test_a_manager_that_is_up_and_does_not_answer_is_not_well() -> None:
    assert follow(look(0), look(61, answers=False), look(119, answers=True))[0] is Verdict.WAIT


def test_a_manager_that_systemd_has_given_up_is_bad() -> None:
    verdict, reason = follow(look(0, COMES), look(8, DOWN), look(13, DOWN))

    assert (verdict, reason) == (Verdict.BAD, "it failed again and again (exit-code)")


def test_a_moment_down_is_not_bad_yet() -> None:
    assert follow(look(0, DOWN), look(4, DOWN), look(8, COMES), look(14, DOWN))[0] is Verdict.WAIT


def test_refused_settings_are_the_upgrades_doing() -> None:
    verdict, reason = follow(look(0, REFUSES), look(5, REFUSES))

    assert verdict is Verdict.BAD
    assert "refuses the settings" in reason


@pytest.mark.parametrize("manager", [COMES, DOWN._replace(active="activating"), None])
def test_a_manager_that_does_not_get_well_in_five_minutes_is_bad(manager: Unit | None) -> None:
    assert follow(look(0, manager), look(299, manager), look(300, manager))[0] is Verdict.BAD


def test_a_manager_that_somebody_stopped_is_not_judged() -> None:
    verdict, reason = follow(look(0), look(10, STOPPED), look(300, STOPPED))

    assert (verdict, reason) == (Verdict.LEFT, "opmas-manager was stopped by hand")


def test_packages_that_stay_half_configured_are_bad() -> None:
    half = [look(at, installed=OLD, whole=False) for at in (0, 30, 60)]

    assert follow(*half) == (Verdict.BAD, "dpkg could not configure its packages")


def test_packages_that_are_configured_after_all_are_watched_from_then_on() -> None:
    assert follow(look(0, whole=False), look(10), look(69))[0] is Verdict.WAIT
    assert follow(look(0, whole=False), look(10), look(70))[0] is Verdict.WELL


@pytest.mark.parametrize("version", [OLD, "9.9"])
def test_an_upgrade_that_did_not_come_about_is_not_judged(version: str) -> None:
    assert follow(look(0, installed=version))[0] is Verdict.LEFT


@pytest.mark.parametrize(
    ("undone", "guarded"), [(None, True), ({}, True), ({NEW: 1}, True), ({NEW: 2}, False)]
)
def test_a_version_that_was_undone_twice_is_not_guarded_any_more(
    undone: dict[str, Any] | None, guarded: bool
) -> None:
    assert may_guard(NEW, undone) is guarded


def test_a_host_that_has_much_to_do_undoes_no_upgrade() -> None:
    silences = [look(at, answers=at % 40 < 20) for at in range(0, 81, 5)]
    no_systemd = [look(70), look(75, None), look(80)]

    assert follow(*silences)[0] is Verdict.WELL
    assert follow(look(65), *no_systemd, look(125))[0] is Verdict.WELL


def test_while_it_is_silent_nothing_is_judged_well() -> None:
    assert follow(look(0), look(40), look(65, answers=False))[0] is Verdict.WAIT


def test_a_manager_that_never_answers_is_bad_however_long_it_is_up() -> None:
    silent = [look(at, answers=False) for at in range(0, 301, 20)]

    assert follow(*silent)[0] is Verdict.BAD


def test_a_dpkg_that_does_not_say_what_is_installed_ends_no_watch() -> None:
    assert follow(look(0, installed=""), look(1), look(61))[0] is Verdict.WELL
    assert follow(look(0, installed=""), look(300, installed=""))[0] is Verdict.LEFT
