"""Whatever happens to an agent while it is watched: rules that hold for every verdict."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from opmas.core.agent.terms import Desired, Health, Phase, Reason
from opmas.core.change.cause import EXCUSES, GATES, SENTENCES, TROUBLES, Cause
from opmas.core.change.evidence import (
    Baseline,
    Sighting,
    Surroundings,
    Watch,
    baseline,
    begin,
    dump_watch,
    load_watch,
    take,
)
from opmas.core.change.verdict import Decision, Verdict, judge

MIB = 2**20
RESULTS = ["exit-code", "signal", "core-dump", "watchdog", "timeout", "oom-kill", "protocol", ""]
CODES = ["config-refused", "agent-error", "dependency-away", "http-503", "outside-x", ""]
BAD = [cause for cause in EXCUSES if cause is not Cause.MIGRATION_FAILED]

counts = st.integers(0, 6)
pressures = st.none() | st.floats(0, 100)
sightings = st.builds(
    Sighting,
    at=st.just(0.0),
    phase=st.sampled_from(Phase),
    reason=st.sampled_from(Reason),
    health=st.sampled_from(Health),
    since=st.floats(0, 900),
    codes=st.lists(st.sampled_from(CODES), max_size=2).map(tuple),
    desired=st.sampled_from([Desired.RUNNING, Desired.RUNNING, Desired.STOPPED]),
    held=st.sampled_from([False, False, False, True]),
    restarts=counts,
    failures=st.integers(0, 1),
    invocation=st.sampled_from(["", "run-1", "run-1", "run-2"]),
    exit_at=st.integers(0, 3).map(float),
    exit_code=st.sampled_from(["", "exited", "killed", "dumped", "unknown"]),
    exit_status=st.none() | st.sampled_from([0, 1, 6, 9, 11, 15, 64, 69, 75, 78, 203]),
    result=st.sampled_from(RESULTS),
    cpu_seconds=st.none() | st.floats(0, 500),
    memory_bytes=st.none() | st.integers(0, 300 * MIB),
    memory_max=st.none() | st.just(256 * MIB),
    oom_kills=st.none() | counts,
    throttled=st.none() | counts,
    errors=st.none() | st.integers(0, 40),
    progress=st.none() | counts,
)
surroundings = st.builds(
    Surroundings,
    disk_free=st.floats(0, 1),
    disk_free_bytes=st.integers(0, 2**40),
    cpu_pressure=pressures,
    memory_pressure=pressures,
    io_pressure=pressures,
    dependencies_down=st.sampled_from([(), (), ("db",)]),
    peers_worse=st.sampled_from([(), (), ("web-2",)]),
    database_ok=st.sampled_from([True, True, True, False]),
)
quiet = st.just(Surroundings())
steps = st.tuples(st.sampled_from([0.0, 1.0, 4.0, 10.0, 31.0]), sightings, surroundings)
quiet_steps = st.tuples(st.sampled_from([0.0, 1.0, 4.0, 10.0]), sightings, quiet)
stories = st.lists(steps, min_size=1, max_size=6)
quiet_stories = st.lists(quiet_steps, min_size=1, max_size=6)
windows = st.sampled_from([0.0, 10.0, 30.0, 60.0, 300.0])
GOOD = Baseline(up_seconds=3600.0, cpu_rate=0.05, memory_bytes=20 * MIB)
baselines = st.builds(
    Baseline,
    health=st.sampled_from([Health.HEALTHY, Health.DEGRADED]),
    up_seconds=st.floats(0, 1e6),
    cpu_rate=st.none() | st.floats(0, 4),
    memory_bytes=st.none() | st.integers(0, 256 * MIB),
    errors_per_minute=st.floats(0, 60),
    restarts_per_hour=st.floats(0, 100),
    progress_per_minute=st.none() | st.floats(0, 600),
)
bad_baselines = st.builds(
    replace,
    baselines,
    existed=st.booleans(),
    wanted=st.booleans(),
    up=st.booleans(),
    health=st.sampled_from(Health),
    failures=st.integers(0, 3),
).filter(lambda base: base.failing or not base.existed or not base.wanted)
began = sightings.map(lambda each: replace(each, at=1000.0, since=900.0))


def play(
    base: Baseline, first: Sighting, story: list[tuple[float, Sighting, Surroundings]]
) -> list[tuple[Watch, Sighting, Surroundings]]:
    """Return the watch at each step, with what was seen then."""
    watch, at, seen = begin(base, first), first.at, []
    for delay, sighting, around in story:
        at += delay
        now = replace(sighting, at=at, since=min(1000.0 + sighting.since, at))
        watch = take(watch, now, around)
        seen.append((watch, now, around))
    return seen


def verdicts(
    base: Baseline,
    first: Sighting,
    story: list[tuple[float, Sighting, Surroundings]],
    window: float,
) -> list[Verdict]:
    return [
        judge(watch, now, around, elapsed=now.at - first.at, window=window)
        for watch, now, around in play(base, first, story)
    ]


@settings(max_examples=100, deadline=None)
@given(baselines | bad_baselines, began, stories, windows)
def test_every_verdict_is_one_and_says_why(base, first, story, window):
    for (_, now, _), verdict in zip(
        play(base, first, story), verdicts(base, first, story, window), strict=True
    ):
        over = now.at - first.at >= window
        assert verdict.sentence
        assert (verdict.decision is Decision.WATCH) <= (not over)
        if verdict.decision is Decision.UNDO:
            assert verdict.cause in BAD
            assert verdict.facts
        elif verdict.cause is not None:
            assert verdict.cause in {*GATES, *TROUBLES}
            assert SENTENCES[verdict.cause] in verdict.sentence or not verdict.facts


@settings(max_examples=80, deadline=None)
@given(bad_baselines, began, stories, windows)
def test_nothing_is_undone_that_was_bad_before(base, first, story, window):
    decisions = {verdict.decision for verdict in verdicts(base, first, story, window)}

    assert Decision.UNDO not in decisions


@settings(max_examples=80, deadline=None)
@given(baselines, began, stories, windows)
def test_nothing_is_undone_that_is_worse_elsewhere_too(base, first, story, window):
    # A refused configuration is the agent's own word, whatever others do.
    story = [
        (
            delay,
            replace(
                now,
                exit_status=1,
                codes=(),
                reason=Reason.CRASHED if now.reason is Reason.EXIT_CONFIG else now.reason,
            ),
            replace(around, peers_worse=("web-2",)),
        )
        for delay, now, around in story
    ]

    decisions = {verdict.decision for verdict in verdicts(base, first, story, window)}

    assert Decision.UNDO not in decisions


@settings(max_examples=80, deadline=None)
@given(baselines, began, stories, windows)
def test_nothing_is_undone_that_cannot_be_saved(base, first, story, window):
    story = [(delay, now, replace(around, database_ok=False)) for delay, now, around in story]

    decisions = {verdict.decision for verdict in verdicts(base, first, story, window)}

    assert Decision.UNDO not in decisions


@settings(max_examples=100, deadline=None)
@given(baselines, began, quiet_stories, windows, surroundings)
def test_trouble_around_it_never_turns_a_verdict_into_undo(base, first, story, window, around):
    troubled = [(delay, now, around) for delay, now, _ in story]
    both = zip(
        verdicts(base, first, story, window),
        verdicts(base, first, troubled, window),
        strict=True,
    )

    assert all(
        alone.decision is Decision.UNDO
        for alone, excused in both
        if excused.decision is Decision.UNDO
    )


@settings(max_examples=100, deadline=None)
@given(baselines, began, quiet_stories, st.sampled_from([30.0, 300.0]), st.data())
def test_more_of_what_is_bad_never_turns_undo_into_another_verdict(
    base, first, story, window, data
):
    watch, now, around = play(base, first, story)[-1]
    elapsed = now.at - first.at
    verdict = judge(watch, now, around, elapsed=elapsed, window=window)
    crash = {"exit_code": "exited", "exit_status": 1, "result": "exit-code", "exit_at": 77.0}
    more = data.draw(
        st.sampled_from(
            [
                {"errors": (now.errors or 0) + 50},
                {"oom_kills": (now.oom_kills or 0) + 1},
                {"restarts": now.restarts + 3, **crash},
                {"throttled": (now.throttled or 0) + 9},
            ]
        )
    )

    worse = judge(watch, replace(now, **more), around, elapsed=elapsed, window=window)

    assert verdict.decision is not Decision.UNDO or worse.decision is Decision.UNDO


@settings(max_examples=80, deadline=None)
@given(baselines, began, stories)
def test_a_watch_is_the_same_after_it_was_saved_and_loaded(base, first, story):
    for watch, now, around in play(base, first, story):
        saved = json.dumps(dump_watch(watch))
        again = load_watch(json.loads(saved))
        assert again == watch
        assert json.dumps(dump_watch(again)) == saved
        assert take(watch, now, around) == watch


@settings(max_examples=100, deadline=None)
@given(sightings, sightings, st.floats(0, 1000), st.floats(0, 1000))
def test_every_agent_has_a_baseline_without_negative_figures(before, earlier, at, ago):
    before = replace(before, at=at)

    base = baseline(before, replace(earlier, at=at - ago))

    assert base.up_seconds >= 0
    assert base.errors_per_minute >= 0
    assert base.restarts_per_hour >= 0
    assert base.cpu_rate is None or base.cpu_rate >= 0
    assert base.progress_per_minute is None or base.progress_per_minute >= 0


calm = st.lists(
    st.tuples(
        st.sampled_from([1.0, 4.0, 10.0]),
        st.builds(
            Sighting,
            at=st.just(0.0),
            phase=st.just(Phase.RUNNING),
            reason=st.just(Reason.READY),
            health=st.just(Health.HEALTHY),
            invocation=st.just("run-1"),
            memory_bytes=st.integers(0, 39 * MIB),
            memory_max=st.just(256 * MIB),
            errors=st.integers(0, 4),
        ),
        surroundings,
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=80, deadline=None)
@given(calm, windows)
def test_an_agent_that_does_well_is_never_undone(story, window):
    errors = 0
    grown = []
    for delay, now, around in story:  # a counter only grows
        errors = max(errors, now.errors or 0)
        grown.append((delay, replace(now, errors=errors), around))
    first = Sighting(at=1000.0, phase=Phase.STOPPED, reason=Reason.CHANGE)

    found = verdicts(GOOD, first, grown, window)

    assert all(verdict.decision is not Decision.UNDO for verdict in found)
