"""When an agent is close to what it may use, and when it is not any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.resources.pressing import CALM, NO_PRESSURE, look
from opmas.core.resources.usage import Descriptors, Detail, Sample

LIMITS = Limits(memory_max=1000, memory_high=800, tasks_max=100, cpu_quota=100, cpu_weight=50)


def seen(at: float = 0.0, tasks: int = 1, **detail) -> Sample:
    return Sample(at, memory_bytes=100, tasks=tasks, cpu_seconds=1.0, detail=Detail(at, **detail))


def after(*samples: Sample):
    pressing = NO_PRESSURE
    for sample in samples:
        pressing = look(pressing, sample, LIMITS)
    return pressing


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (seen(held_bytes=900), "near-memory-limit"),
        (seen(memory_pressure=20.0), "memory-pressure"),
        (seen(tasks=90), "near-tasks-limit"),
        (seen(descriptors=Descriptors(60, True, 58, 64)), "fd-limit"),
    ],
)
def test_a_figure_at_its_mark_is_a_sign(sample, code):
    assert after(sample).codes == (code,)


@pytest.mark.parametrize(
    "sample",
    [
        seen(held_bytes=899, memory_pressure=19.9, tasks=89),
        seen(descriptors=Descriptors(64, False, 64, 64)),
        seen(throttled=50, held_bytes=790),
    ],
)
def test_a_figure_below_its_mark_or_a_mere_bound_is_none(sample):
    assert after(sample).codes == ()


def test_a_sign_stays_until_the_figure_is_well_below_its_mark():
    held = [900, 890, 810, 800, 799, 899]

    codes = [after(*(seen(at, held_bytes=h) for at, h in enumerate(held[: n + 1]))).codes
             for n in range(len(held))]  # fmt: skip

    near = ("near-memory-limit",)
    assert codes == [near, near, near, near, (), ()]


def test_an_agent_that_is_slowed_down_and_holds_what_slows_it_is_throttled():
    pressing = after(seen(0, held_bytes=790, throttled=3), seen(1, held_bytes=790, throttled=4))

    assert pressing.codes == ("throttled",)


def test_what_the_kernel_can_drop_throttles_nobody():
    pressing = after(seen(0, held_bytes=100, throttled=3), seen(1, held_bytes=100, throttled=900))

    assert pressing.codes == ()


def test_throttling_is_over_after_some_quiet_looks():
    story = [seen(0, held_bytes=790, throttled=3), seen(1, held_bytes=790, throttled=4)]
    quiet = [seen(2.0 + n, held_bytes=790, throttled=4) for n in range(CALM)]

    assert after(*story, *quiet[:-1]).codes == ("throttled",)
    assert after(*story, *quiet).codes == ()


def test_a_cpu_quota_that_is_used_up_half_of_the_time_is_a_sign():
    story = [
        seen(0, cpu_periods=100, cpu_throttled=10),
        seen(1, cpu_periods=200, cpu_throttled=60),
    ]

    assert after(*story).codes == ("cpu-throttled",)


def test_counts_that_begin_anew_with_a_run_are_no_sign():
    story = [seen(0, cpu_periods=900, cpu_throttled=800, throttled=9), seen(1, cpu_periods=5)]

    assert after(*story).codes == ()


def test_a_sample_with_old_detail_judges_only_what_is_new():
    first = seen(0, held_bytes=950)
    pressing = look(NO_PRESSURE, first, LIMITS)

    again = look(pressing, replace(first, at=1.0, tasks=95), LIMITS)

    assert again.codes == ("near-memory-limit", "near-tasks-limit")


def test_what_is_not_known_leaves_a_sign_as_it_was():
    pressing = after(seen(0, held_bytes=950), seen(1))

    assert pressing.codes == ("near-memory-limit",)


def test_the_message_has_the_figure_and_stays_the_same():
    pressing = after(seen(0, held_bytes=900), seen(1, held_bytes=960))

    (sign,) = pressing.told()
    assert sign.message == "it needs 90 % of its memory_max"
