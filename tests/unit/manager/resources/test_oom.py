"""The kernel's kills for memory told from others, by its count of them."""

from __future__ import annotations

import pytest

from opmas.host.oomkills import read_oom_kills
from opmas.manager.resources.oom import DYING, PERIOD, OomKills
from tests import builders


class Kernel:
    """A count that a test raises, and a clock that it sets."""

    def __init__(self, *, needed: bool = True) -> None:
        self.kills = 7
        self.now = 100.0
        self.oom = OomKills(lambda: self.kills, lambda: self.now, needed=needed)

    def kill(self, dying: float = 0.01) -> float:
        """Kill a process for its memory, and return when it is gone."""
        self.kills += 1
        self.now += dying
        return self.now

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            self.oom.look()

    def result(self, at: float, **changes) -> str:
        self.now = max(self.now, at)
        return self.oom.judged(builders.killed(at=at, **changes)).result


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_a_sigkill_that_the_kernel_counted_was_for_memory(kernel):
    assert kernel.result(kernel.kill()) == "oom-kill"


def test_a_kill_that_was_noticed_before_the_process_was_gone_counts(kernel):
    kernel.kill()
    kernel.wait(0.3)

    assert kernel.result(kernel.now + 0.05) == "oom-kill"


def test_a_killed_process_that_a_busy_host_buries_late_was_killed_for_memory(kernel):
    kernel.kill()
    kernel.wait(1.4)

    assert kernel.result(kernel.now) == "oom-kill"


def test_a_sigkill_by_hand_stays_a_signal(kernel):
    assert kernel.result(100.0) == "signal"


def test_a_sigkill_by_hand_beside_another_kill_for_memory_stays_a_signal(kernel):
    kernel.wait(1)
    kernel.kill()
    kernel.wait(DYING + 3 * PERIOD)

    assert kernel.result(kernel.now) == "signal"


def test_each_kill_is_attributed_once(kernel):
    gone = kernel.kill()

    assert kernel.result(gone, name="web") == "oom-kill"
    assert kernel.result(gone, name="db") == "signal"


def test_several_kills_between_two_looks_are_several(kernel):
    kernel.kill()
    gone = kernel.kill()

    assert [kernel.result(gone, name=name) for name in ("a", "b", "c")] == [
        "oom-kill", "oom-kill", "signal",
    ]  # fmt: skip


def test_the_same_exit_is_judged_once_however_often_it_is_told(kernel):
    gone = kernel.kill()
    first = kernel.result(gone)
    kernel.wait(60)

    assert (first, kernel.result(gone)) == ("oom-kill", "oom-kill")
    assert kernel.result(kernel.now) == "signal"


def test_a_manager_that_is_told_late_finds_the_kill_of_that_time(kernel):
    gone = kernel.kill()
    kernel.wait(5)

    assert kernel.result(gone) == "oom-kill"


@pytest.mark.parametrize("signal", [6, 11, 15])
def test_other_signals_are_not_the_kernel_s(kernel, signal):
    assert kernel.result(kernel.kill(), signal=signal) == "signal"


@pytest.mark.parametrize("result", ["watchdog", "timeout", "oom-kill"])
def test_what_systemd_says_itself_stands(kernel, result):
    assert kernel.result(kernel.kill(), result=result) == result


def test_where_systemd_knows_nothing_is_guessed():
    kernel = Kernel(needed=False)

    assert kernel.result(kernel.kill()) == "signal"


def test_a_kernel_that_does_not_count_tells_nothing():
    oom = OomKills(lambda: None, lambda: 0.0)

    assert oom.judged(builders.killed()).result == "signal"


def test_the_count_is_read_from_the_kernel(tmp_path):
    place = tmp_path / "vmstat"
    place.write_text("pgfault 3\noom_kill 42\nnuma_hit 1\n")

    assert read_oom_kills(str(place)) == 42
    assert read_oom_kills(str(tmp_path / "none")) is None
    assert (read_oom_kills() or 0) >= 0
