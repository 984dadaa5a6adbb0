"""What holds for every test: none is skipped, and none leaves anything running."""

import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure: a component that is not there was not tested."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole file into a failure too."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skipped, and nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """Fail a test that leaves a process or a non-daemon thread behind (after cockpit).

    What a fixture of a wider scope keeps running was there before the test.
    """
    children = _children()
    threads = set(threading.enumerate())

    yield

    deadline = time.monotonic() + 1
    running = [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
    for thread in running:
        thread.join(max(0, deadline - time.monotonic()))
    while (left := _children() - children) and time.monotonic() < deadline:
        time.sleep(0.01)
    commands = sorted(_command(pid) for pid in left)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    stuck = [thread.name for thread in running if thread.is_alive()]
    assert not commands, f"still running: {commands}"
    assert not stuck, f"threads still running: {stuck}"


def _children() -> set[int]:
    """Return the process IDs of this process's children, also of those that nobody waited for."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for children in lists for pid in _read_if_there(children).split()}


def _read_if_there(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # its thread has just ended
        return ""


def _command(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return f"{pid} {' '.join(words).strip() or '(ended, and nobody waited for it)'}"
