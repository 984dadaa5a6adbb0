"""File systems that answer, and some that never do."""

import os
import threading
from pathlib import Path

import pytest

from opmas.agents.hostwatch.hostwatch.mounts import Filesystem, find_filesystems, parse_mountinfo
from opmas.agents.hostwatch.hostwatch.usage import (
    MOST_STUCK,
    Stalled,
    Unreachable,
    Usage,
    UsageReader,
    ask_usage,
)

FINE = Usage(100, 50, 50, 10, 5)
SOON = 0.1  # seconds: a hang is a hang after this


def filesystem(device: str, fs_type: str = "ext4") -> Filesystem:
    return Filesystem(device, f"/{device}", fs_type, False, (f"/{device}",), frozenset({1}))


class Server:
    """A file server: asks for `hanging` devices block until it is repaired."""

    def __init__(self, *hanging: str) -> None:
        self.hanging = hanging
        self.repaired = threading.Event()
        self.asked: list[str] = []

    def ask(self, fs: Filesystem) -> Usage:
        self.asked.append(fs.device)
        if fs.device in self.hanging:
            self.repaired.wait(10)
        return FINE


@pytest.fixture
def reader_of():
    """Return a function that makes a reader of a server; all of it ends with the test."""
    made = []

    def make(server: Server) -> UsageReader:
        made.append((server, UsageReader(server.ask)))
        return made[-1][1]

    yield make
    for server, reader in made:
        server.repaired.set()
        reader.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "statvfs"]


def test_all_that_answer_are_asked_by_one_thread_that_stays(reader_of):
    reader = reader_of(Server())

    answers = [reader.read([filesystem("a"), filesystem("b")], timeout=5) for _ in range(3)]

    assert answers == [{"a": FINE, "b": FINE}] * 3
    assert len(threads()) == 1


def test_one_that_hangs_is_stalled_and_the_others_are_asked(reader_of):
    reader = reader_of(Server("b"))

    answers = reader.read([filesystem(name) for name in "abc"], SOON)

    assert answers == {"a": FINE, "b": Stalled(), "c": FINE}


def test_one_that_hangs_is_not_asked_again_while_it_does(reader_of):
    server = Server("b")
    reader = reader_of(server)
    reader.read([filesystem("b")], SOON)

    answers = reader.read([filesystem("b"), filesystem("c")], SOON)

    assert answers == {"b": Stalled(), "c": FINE}
    assert server.asked == ["b", "c"]


def test_one_that_comes_back_is_asked_again(reader_of):
    server = Server("b")
    reader = reader_of(server)
    reader.read([filesystem("b")], SOON)
    (stuck,) = threads()

    server.repaired.set()
    stuck.join(10)

    assert reader.read([filesystem("b")], timeout=5) == {"b": FINE}


def test_the_threads_that_hang_are_bounded_and_what_is_local_is_asked_first(reader_of):
    remote = [filesystem(f"nfs{n}", "nfs4") for n in range(MOST_STUCK + 3)]
    reader = reader_of(Server(*(fs.device for fs in remote)))

    answers = reader.read([*remote, filesystem("local")], SOON / 2)

    assert answers["local"] == FINE
    assert list(answers.values()).count(Stalled()) == MOST_STUCK
    assert len(answers) == MOST_STUCK + 1
    assert len(threads()) <= MOST_STUCK + 1


def test_a_real_file_system_is_as_large_as_it_was_made(disk):
    mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    (fs,) = (fs for fs in find_filesystems(mounts, [], []) if fs.mountpoint == str(disk))
    (disk / "file").write_bytes(b"x" * (256 * 1024))

    usage = ask_usage(fs)

    assert isinstance(usage, Usage)
    assert usage.size == 1024 * 1024
    assert usage.used_share == 0.25


def test_a_path_that_leads_to_another_mount_is_not_taken_for_it(disk):
    other = Filesystem("0:1", str(disk), "ext4", False, (str(disk),), frozenset({-1}))

    assert ask_usage(other) == Unreachable()


def test_a_path_that_is_not_there_is_unreachable():
    assert ask_usage(filesystem("nowhere")) == Unreachable()


def test_an_error_of_the_file_system_is_a_stall_with_its_reason():
    looped = f"/{'x' * 300}"

    answer = ask_usage(filesystem("x")._replace(paths=(looped,)))

    assert answer == Stalled(f"{looped}: {os.strerror(36)}")
