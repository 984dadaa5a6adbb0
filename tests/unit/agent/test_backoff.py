"""Growing pauses."""

import pytest

from opmas.agent.backoff import Backoff


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(0.2, 30.0, lambda: 1.0)

    pauses = [backoff.pause() for _ in range(10)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 0.5), (0.5, 0.75)])
def test_jitter_takes_off_up_to_half(jitter, pause):
    backoff = Backoff(1.0, 30.0, lambda: jitter)

    assert backoff.pause() == pause


def test_a_success_starts_over():
    backoff = Backoff(1.0, 30.0, lambda: 1.0)
    backoff.pause()
    backoff.pause()

    backoff.reset()

    assert backoff.pause() == 1.0


def test_thousands_of_failures_overflow_nothing():
    backoff = Backoff(1.0, 30.0, lambda: 1.0)
    backoff.failures = 100_000

    assert backoff.pause() == 30.0
