"""What a process uses, from /proc."""

from opmas.agent.figures import parse_stat, update_figures
from opmas.agent.metrics import Metrics

STAT = (
    "42 (a (b) c) S 1 42 42 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 3 0 1000 27787264 2500"
    " 18446744073709551615 1 1 0 0 0 0 0 16781312 16387 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_the_figures_of_a_process_with_an_odd_name():
    figures = parse_stat(STAT, ticks=100, page=4096)

    assert figures == {
        "process_cpu_seconds_total": 2.0,
        "process_threads": 3,
        "process_start_time_seconds": 10.0,
        "process_virtual_memory_bytes": 27787264,
        "process_resident_memory_bytes": 2500 * 4096,
    }


def test_this_process_has_all_figures():
    metrics = Metrics()

    update_figures(metrics)

    assert {sample["name"] for sample in metrics.samples()} == {
        "process_cpu_seconds_total",
        "process_threads",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_open_fds",
    }


def test_without_proc_there_are_no_figures(tmp_path):
    metrics = Metrics()

    update_figures(metrics, str(tmp_path))

    assert metrics.samples() == []
