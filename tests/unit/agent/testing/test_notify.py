"""The notify socket, with systemd's own tool at its other end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from opmas.agent.testing import NotifySocket


@pytest.fixture
def notified(tmp_path):
    """Return the socket."""
    with NotifySocket(tmp_path / "notify") as socket:
        yield socket


def systemd_notify(socket, *arguments):
    """Run systemd-notify(1), which waits until what it sent was taken."""
    environ = {"NOTIFY_SOCKET": str(socket.path), "PATH": os.environ["PATH"]}
    subprocess.run(["systemd-notify", *arguments], env=environ, check=True, timeout=5)


def open_files():
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_systemd_notify_sends_is_heard_and_it_need_not_wait(notified):
    systemd_notify(notified, "--ready", "--status=all is well")

    assert notified.wait_for("STATUS=") == "STATUS=all is well"
    assert "READY=1" in notified.lines


def test_no_descriptor_that_is_sent_along_stays_open(notified):
    before = open_files()

    systemd_notify(notified, "--ready")
    systemd_notify(notified, "--ready")

    assert open_files() == before


def test_another_process_than_the_main_one_is_not_heard(notified):
    notified.main_pid = 1

    systemd_notify(notified, "--no-block", "READY=1")
    notified.main_pid = os.getpid()
    systemd_notify(notified, f"--pid={os.getpid()}", "STATUS=heard")

    notified.wait_for("STATUS=heard")
    assert "READY=1" not in notified.lines
    assert "NotifyAccess=main" in notified.ignored[0]
