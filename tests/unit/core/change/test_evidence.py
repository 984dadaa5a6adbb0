"""What is gathered of an agent: how it did before, and running figures since."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.cause import Cause
from opmas.core.change.evidence import (
    MOST_EXITS,
    MOST_SLICES,
    MOST_TROUBLES,
    Sighting,
    Surroundings,
    baseline,
    begin,
    dump_watch,
    load_watch,
    rebooted,
    take,
)
from opmas.core.change.surroundings import is_outside, troubles
from opmas.core.change.verdict import Decision
from tests.unit.core.watched import BEFORE, MIB, Watched

UP = Sighting(
    at=3600.0,
    since=0.0,
    phase=Phase.RUNNING,
    reason=Reason.READY,
    health=Health.HEALTHY,
    invocation="run-0",
    cpu_seconds=180.0,
    memory_bytes=20 * MIB,
    errors=6,
    restarts=50,
    exits_lately=2,
    progress=3600,
)


# Before the change.


def test_an_agent_on_its_way_up_is_not_failing_yet():
    starting = replace(UP, phase=Phase.STARTING, reason=Reason.BOOT, fresh=True)

    assert not baseline(starting).failing
    assert baseline(replace(starting, fresh=False)).failing


def test_a_new_agent_has_no_before():
    before = baseline(None)

    assert not before.existed
    assert not before.failing


def test_an_agent_that_served_is_the_measure():
    before = baseline(UP)

    assert (before.existed, before.wanted, before.up, before.failing) == (True, True, True, False)
    assert before.up_seconds == 3600
    assert before.cpu_rate == pytest.approx(0.05)
    assert before.memory_bytes == 20 * MIB
    assert before.errors_per_minute == pytest.approx(0.1)
    assert before.restarts_per_hour == pytest.approx(2)


def test_an_earlier_look_tells_what_it_does_lately():
    earlier = replace(UP, at=3590.0, cpu_seconds=175.0, progress=3580)

    before = baseline(UP, earlier)

    assert before.cpu_rate == pytest.approx(0.5)
    assert before.progress_per_minute == pytest.approx(120)


def test_an_idle_moment_does_not_hide_what_it_used_over_its_run():
    earlier = replace(UP, at=3590.0, cpu_seconds=180.0)

    assert baseline(UP, earlier).cpu_rate == pytest.approx(0.05)


@pytest.mark.parametrize(
    "earlier",
    [
        replace(UP, at=3597.0, cpu_seconds=170.0),  # too short ago
        replace(UP, at=3590.0, cpu_seconds=170.0, invocation="run-x"),
        replace(UP, at=3590.0, cpu_seconds=170.0, phase=Phase.STARTING),
        replace(UP, at=3590.0, cpu_seconds=None),
        replace(UP, at=3600.0),
    ],
)
def test_an_earlier_look_that_tells_nothing_of_this_run(earlier):
    assert baseline(UP, earlier).cpu_rate == pytest.approx(0.05)


def test_errors_since_an_earlier_look_before_this_run():
    now = replace(UP, since=3540.0)
    earlier = replace(UP, at=3000.0, errors=0)

    assert baseline(now, earlier).errors_per_minute == pytest.approx(0.6)


def test_one_error_in_the_first_second_is_not_sixty_a_minute():
    before = baseline(replace(UP, since=3599.0, errors=1, restarts=0))

    assert before.errors_per_minute == pytest.approx(1)


@pytest.mark.parametrize("changes", [{"since": 3596.0}, {"cpu_seconds": None}])
def test_a_cpu_rate_needs_a_run_of_five_seconds_and_a_counter(changes):
    assert baseline(replace(UP, **changes)).cpu_rate is None


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, False),
        ({"health": Health.DEGRADED}, False),
        ({"phase": Phase.RELOADING}, False),
        ({"health": Health.UNHEALTHY}, True),
        ({"phase": Phase.BACKOFF, "reason": Reason.CRASHED}, True),
        ({"phase": Phase.STARTING}, True),
        ({"failures": 1}, True),
        ({"phase": Phase.STOPPED, "desired": Desired.STOPPED}, False),
        ({"phase": Phase.STOPPED, "held": True}, False),
    ],
)
def test_whether_it_was_failing_before(changes, failing):
    assert baseline(replace(UP, **changes)).failing is failing


# Since the change.


def test_the_same_sighting_again_adds_nothing():
    watch = Watched().started().lives(20, errors=1, memory=1, throttled=1).exits().watch

    assert take(watch, watch.last) == watch


def test_a_sighting_that_is_older_than_the_last_is_dropped():
    watch = Watched().started().lives(5).watch
    older = replace(watch.last, at=watch.last.at - 1, errors=99)

    assert take(watch, older) == watch


def test_a_watch_goes_on_in_another_boot_and_forgets_what_was():
    web = Watched(replace(BEFORE, up=False), exit_at=0.5).started().lives(20, errors=1).exits()

    watch = rebooted(web.watch, 1.0)
    up = replace(web.now, at=30.0, since=29.0, phase=Phase.RUNNING, invocation="new", restarts=0)
    watch = take(watch, up)

    assert (watch.baseline, watch.exits, watch.errors) == (web.watch.baseline, (), 0)
    assert watch.up_at == 29


def test_counters_that_begin_anew_are_counted_on():
    web = Watched(errors=100, oom_kills=3).started().has(errors=103).has(errors=2)

    assert web.watch.errors == 5
    assert web.watch.oom_kills == 0


def test_the_counters_of_the_kernel_begin_anew_with_each_run():
    web = Watched(replace(BEFORE, up=False)).started().has(oom_kills=1)

    web.has(invocation="run-2", oom_kills=1, throttled=0).lives(1)
    web.has(invocation="run-3", oom_kills=3, throttled=2).lives(1)
    web.has(invocation="run-4", oom_kills=0, throttled=2)

    assert web.watch.oom_kills == 5
    assert web.watch.throttled_at == web.now.at


def test_a_counter_that_nobody_had_looked_at_begins_when_somebody_does():
    web = Watched(errors=None, throttled=None, oom_kills=None).starts().has(errors=100)

    web.lives(2).comes_up().has(errors=102)

    assert web.watch.errors == 2


def test_the_first_look_at_a_counter_is_where_counting_begins():
    before = replace(UP, errors=50, oom_kills=2, throttled=7)

    watch = take(begin(BEFORE, before), replace(before, at=before.at + 1))

    assert (watch.errors, watch.oom_kills, watch.throttled_at) == (0, 0, None)


def test_the_first_time_that_it_is_up_is_kept():
    watch = Watched().started().lives(9).watch

    assert watch.first_up is not None
    assert watch.first_up.at == 1002
    assert watch.up_at == 1002


def test_a_new_run_is_up_anew():
    watch = Watched().started().lives(9).is_killed().lives(2).comes_up().watch

    assert watch.up_at == 1013
    assert watch.slices == ()


def test_a_new_run_that_was_up_before_it_was_looked_at():
    web = Watched().started().lives(9)

    web.has(invocation="run-2", since=1010.5).lives(1)

    assert web.watch.up_at == 1010.5


def test_a_run_that_is_being_stopped_was_up():
    watch = Watched().started().lives(9).is_told_to_stop().lives(2).watch

    assert watch.up_at == 1002


def test_samples_begin_when_it_is_warm_and_are_ten_seconds_apart():
    watch = Watched().started().lives(30).watch

    assert [each.at for each in watch.slices] == [1007, 1017, 1027]


def test_a_watch_stays_small_whatever_happens():
    web = Watched(replace(BEFORE, up=False), window=10_000.0).started()
    for _ in range(40):
        web.around = Surroundings(dependencies_down=() if web.around.dependencies_down else ("d",))
        web.lives(31).exits().exits().comes_up()
    web.lives(200)

    assert len(web.watch.exits) == MOST_EXITS
    assert web.watch.exits_seen == 80
    assert len(web.watch.slices) == MOST_SLICES
    assert len(web.watch.troubles) <= MOST_TROUBLES
    assert len(json.dumps(dump_watch(web.watch))) < 10_000


def test_a_trouble_that_comes_back_soon_is_one():
    web = Watched()
    for away in (True, False, True):
        web.around = Surroundings(dependencies_down=("db",) if away else ())
        web.lives(10)

    assert [(t.cause, t.first_at, t.last_at) for t in web.watch.troubles] == [
        (Cause.DEPENDENCY_DOWN, 1001, 1030)
    ]


def test_however_many_troubles_follow_what_the_first_one_broke_stays_excused():
    web = Watched(window=10_000.0).started()
    web.around = Surroundings(peers_worse=("web-2",))
    web.exits().comes_up().exits().comes_up().exits().comes_up()
    for _ in range(2 * MOST_TROUBLES):
        web.around = Surroundings()
        web.lives(31)
        web.around = Surroundings(peers_worse=("web-2",))
        web.lives(1)

    assert len(web.watch.troubles) == MOST_TROUBLES
    assert web.decision is Decision.WATCH
    assert web.cause is Cause.SAME_ELSEWHERE


def test_a_trouble_that_comes_back_late_is_another():
    web = Watched(window=300.0)
    for seconds, away in ((5, True), (40, False), (5, True)):
        web.around = Surroundings(dependencies_down=("db",) if away else ())
        web.lives(seconds)

    assert [t.first_at for t in web.watch.troubles] == [1001, 1046]


def test_what_it_says_itself_while_it_starts_is_a_trouble_too():
    web = Watched().starts().has(codes=("dns-failed",)).lives(30).is_killed(15, "timeout")

    assert [trouble.cause for trouble in web.watch.troubles] == [Cause.OUTSIDE_SERVER]
    assert web.cause is Cause.OUTSIDE_SERVER


def test_a_watch_is_saved_and_loaded():
    web = Watched()
    web.around = Surroundings(disk_free=0.0, disk_free_bytes=0)
    web.started().lives(30, errors=1, memory=6, throttled=1).exits(69).exits(75)

    assert load_watch(json.loads(json.dumps(dump_watch(web.watch)))) == web.watch


# Around it.


@pytest.mark.parametrize(
    ("around", "found"),
    [
        (Surroundings(), []),
        (Surroundings(cpu_pressure=79.0, io_pressure=59.0, memory_pressure=19.0), []),
        (Surroundings(cpu_pressure=80.0), [Cause.HOST_OVERLOADED]),
        (Surroundings(io_pressure=60.0), [Cause.HOST_OVERLOADED]),
        (Surroundings(memory_pressure=20.0), [Cause.HOST_MEMORY]),
        (Surroundings(dependencies_down=("db",)), [Cause.DEPENDENCY_DOWN]),
        (Surroundings(peers_worse=("b",)), [Cause.SAME_ELSEWHERE]),
        (Surroundings(disk_free=0.5, disk_free_bytes=15 * MIB), [Cause.DISK_FULL]),
        (Surroundings(disk_free=0.5, disk_free_bytes=16 * MIB), []),
        (Surroundings(disk_free=0.009, disk_free_bytes=255 * MIB), [Cause.DISK_FULL]),
        (Surroundings(disk_free=0.011, disk_free_bytes=255 * MIB), []),
        (Surroundings(disk_free=0.009, disk_free_bytes=256 * MIB), []),
    ],
)
def test_what_is_a_trouble(around, found):
    assert [cause for cause, _ in troubles(around)] == found


@pytest.mark.parametrize(
    ("codes", "outside"),
    [
        ((), False),
        (("",), False),
        (("dependency-away",), True),
        (("http-503", "outside-sensor"), True),
        (("http-503", "bug"), False),
        (("http-403",), False),
    ],
)
def test_what_an_agent_says_to_be_outside(codes, outside):
    assert is_outside(codes) is outside
