"""What the manager tells systemd about itself."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from opmas.agent.testing import NotifySocket
from opmas.systemd.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as systemd:
        monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
        yield systemd


def test_each_turn_of_a_service_is_told(systemd: NotifySocket) -> None:
    with closing(Notifier()) as notifier:
        notifier.ready()
        notifier.reloading()
        notifier.extend_timeout(2.5)
        notifier.stopping()

        systemd.wait_for("STOPPING=1")

    assert systemd.lines[:2] == ["READY=1", "RELOADING=1"]
    assert systemd.lines[2].startswith("MONOTONIC_USEC=")
    assert systemd.lines[3:] == ["EXTEND_TIMEOUT_USEC=2500000", "STOPPING=1"]


def test_a_status_in_any_script_arrives_as_one_line_of_ascii(systemd: NotifySocket) -> None:
    with closing(Notifier()) as notifier:
        notifier.status("3 agents,\n 日本 ok")

        line = systemd.wait_for("STATUS=")

    assert line == "STATUS=3 agents, ?? ok"


def test_the_watchdog_is_fed_when_it_is_due_and_not_more_often(systemd: NotifySocket) -> None:
    times = iter([0.0, 5.0, 9.9, 10.0, 21.0])
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "30000000"}
    with closing(Notifier(environ, lambda: next(times))) as notifier:
        for _ in range(5):
            notifier.watchdog()
        notifier.stopping()

        systemd.wait_for("STOPPING=1")

    assert systemd.lines == ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getppid())},
    ],
    ids=["none", "nonsense", "of another process"],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(
    systemd: NotifySocket, watchdog: dict[str, str]
) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(systemd.path), **watchdog})) as notifier:
        notifier.watchdog()
        notifier.stopping()

        systemd.wait_for("STOPPING=1")

    assert systemd.lines == ["STOPPING=1"]


def test_without_systemd_nothing_is_told_and_nothing_fails() -> None:
    with closing(Notifier({})) as notifier:
        notifier.ready()


def test_a_systemd_that_is_gone_costs_no_more_than_the_message(systemd: NotifySocket) -> None:
    with closing(Notifier()) as notifier:
        systemd.__exit__()

        notifier.ready()
