"""The kernel's kills for memory told from others, by its count of them."""

from __future__ import annotations

import pytest

from opmas.host.oomkills import read_oom_kills
from opmas.manager.oom import FRESH, OomKills
from tests import builders


class Kernel:
    def __init__(self) -> None:
        self.kills = 7
        self.now = 100.0
        self.oom = OomKills(lambda: self.kills, lambda: self.now)

    def result(self, **changes) -> str:
        return self.oom.judged(builders.killed(**changes)).result


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_a_sigkill_that_the_kernel_counted_was_for_memory(kernel):
    kernel.kills += 1

    assert kernel.result() == "oom-kill"


def test_a_sigkill_by_hand_stays_a_signal(kernel):
    assert kernel.result() == "signal"


def test_each_kill_is_attributed_once(kernel):
    kernel.kills += 1

    assert kernel.result(name="web") == "oom-kill"
    assert kernel.result(name="db") == "signal"


def test_the_same_exit_is_judged_once_however_often_it_is_told(kernel):
    kernel.kills += 1
    first = kernel.result(at=1.0)
    kernel.now += 60

    assert (first, kernel.result(at=1.0)) == ("oom-kill", "oom-kill")
    assert kernel.result(at=2.0) == "signal"


def test_a_kill_of_long_ago_is_nobodys(kernel):
    kernel.kills += 1
    kernel.oom.look()
    kernel.now += FRESH + 1

    assert kernel.result() == "signal"


@pytest.mark.parametrize("signal", [6, 11, 15])
def test_other_signals_are_not_the_kernel_s(kernel, signal):
    kernel.kills += 1

    assert kernel.result(signal=signal) == "signal"


@pytest.mark.parametrize("result", ["watchdog", "timeout", "oom-kill"])
def test_what_systemd_says_itself_stands(kernel, result):
    kernel.kills += 1

    assert kernel.result(result=result) == result


def test_a_kernel_that_does_not_count_tells_nothing():
    oom = OomKills(lambda: None, lambda: 0.0)

    assert oom.judged(builders.killed()).result == "signal"


def test_the_count_is_read_from_the_kernel(tmp_path):
    place = tmp_path / "vmstat"
    place.write_text("pgfault 3\noom_kill 42\nnuma_hit 1\n")

    assert read_oom_kills(str(place)) == 42
    assert read_oom_kills(str(tmp_path / "none")) is None
    assert (read_oom_kills() or 0) >= 0
