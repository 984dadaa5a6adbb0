"""Event streams over restarts of everyone: nothing is missed, nothing comes twice."""

import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.api.service import Follower, until

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.sampled_from([1, 2, 30, 700])),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("restart manager"), st.sampled_from([0, 1, 5])),
        st.tuples(st.just("restart api"), st.sampled_from([signal.SIGTERM, signal.SIGKILL])),
    ),
    min_size=3,
    max_size=8,
)


@pytest.fixture
def follower(service):
    follower = Follower(service)
    yield follower
    follower.close()


def emit(manager, count):
    for _ in range(count):
        manager.host.emit("opmas.agent.health", "agent/web")


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_a_client_that_reconnects_sees_every_event_once(service, manager, follower, steps):
    def restart_manager(while_away):
        manager.stop()
        emit(manager, while_away)
        manager.start()

    def restart_api(number):
        service.stop(number)
        service.start()

    do = {
        "emit": lambda count: emit(manager, count),
        "cut": lambda _: follower.cut(),
        "restart manager": restart_manager,
        "restart api": restart_api,
    }

    for name, argument in steps:
        do[name](argument)
    emit(manager, 1)

    last = manager.host.sequence
    until(lambda: follower.seen and follower.seen[-1] == last, 20)
    assert follower.seen == list(range(1, last + 1))
    assert follower.gaps == 0


def test_an_event_reaches_a_stream_at_once(service, manager):
    followers = [Follower(service) for _ in range(10)]
    until(lambda: all(follower.connects for follower in followers))

    emit(manager, 3)

    until(lambda: all(follower.seen == [1, 2, 3] for follower in followers), 3)
    for follower in followers:
        follower.close()


def test_a_client_that_leaves_frees_its_place(service):
    for _ in range(3):
        followers = [Follower(service) for _ in range(30)]
        until(lambda present=followers: all(f.connects for f in present), 20)
        for follower in followers:
            follower.close()

    assert service.get("/v1/agents")[0] == 200
