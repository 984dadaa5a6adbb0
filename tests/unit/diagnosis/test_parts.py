"""Parts side by side, programs with a deadline, the archive's bounds."""

import io
import random
import tarfile
import threading
import time

import pytest

from opmas.diagnosis.archive import LIMIT, Archive, write_archive
from opmas.diagnosis.parts import Board, Part, gather_all
from opmas.diagnosis.programs import ask
from opmas.errors import BackendError


def test_a_part_that_fails_is_a_problem_and_no_more():
    def fail(out):
        out.add("before.txt", "x")
        raise ValueError("broken")

    parts = [Part("bad", 5, fail), Part("good", 5, lambda out: out.add("good.txt", "y"))]

    bad, good = gather_all(parts, Board(), time.monotonic())

    assert (bad.problems, [piece.path for piece in bad.pieces]) == (
        ["cannot be had: broken"],
        ["before.txt"],
    )
    assert (good.problems, good.pieces[0].content) == ([], "y")


def test_a_part_that_hangs_is_left_behind_with_what_it_had():
    over = threading.Event()

    def hang(out):
        out.add("early.txt", "x")
        over.wait(30)
        out.add("late.txt", "y")

    (found,) = gather_all([Part("slow", 0.05, hang)], Board(), time.monotonic())
    over.set()

    assert [piece.path for piece in found.pieces] == ["early.txt"]
    assert found.problems == ["not finished within 0.05 s: what was there is kept"]
    assert found.seconds is None or found.seconds >= 0


def test_one_part_waits_for_what_another_leaves_on_the_board():
    board = Board()
    parts = [
        Part("reader", 10, lambda out: out.add("x", out.board.get("names", 10)[0])),
        Part("writer", 10, lambda out: out.board.put("names", ["web"])),
    ]

    reader, _ = gather_all(parts, board, time.monotonic())

    assert reader.pieces[0].content == "web"
    assert board.get("nothing") is None


def test_a_program_that_does_not_end_is_ended_and_its_last_line_is_no_half_one():
    script = "echo whole; printf half; exec sleep 60"

    answer = ask(["/bin/sh", "-c", script], time.monotonic() + 0.5, 1000)

    assert answer.text == "whole\n"
    assert answer.problem == "/bin/sh: it did not end in time: the rest is left out"


def test_a_program_that_says_too_much_is_cut_at_a_line():
    answer = ask(["/bin/sh", "-c", "yes abcdef"], time.monotonic() + 30, 100_000)

    assert set(answer.text.splitlines()) == {"abcdef"}
    assert "more than 97 KiB" in answer.problem


def test_a_program_that_fails_says_why():
    failed = ask(["/bin/sh", "-c", "echo no >&2; exit 3"], time.monotonic() + 30, 1000)
    silent = ask(["/bin/sh", "-c", "exit 1"], time.monotonic() + 30, 1000)
    missing = ask(["/nonexistent"], time.monotonic() + 30, 1000)

    assert failed.problem == "/bin/sh: no"
    assert silent.problem == "/bin/sh: status 1"
    assert missing.problem == "/nonexistent: no such file or directory"


def test_an_archive_has_one_directory_and_begins_with_its_readme():
    archive = Archive("top", 0)
    archive.add("b/x.txt", b"x")
    archive.add_last("README.txt", b"read")

    with tarfile.open(fileobj=io.BytesIO(archive.content())) as tar:
        members = {member.name: member.mode for member in tar.getmembers()}

    assert members == {"top": 0o700, "top/README.txt": 0o600, "top/b/x.txt": 0o600}


def test_an_archive_never_exceeds_its_limit():
    archive = Archive("top", 0)
    noise = random.Random(1)

    there = [archive.add(f"{n}", noise.randbytes(500_000)) for n in range(12)]

    assert not all(there)
    assert len(archive.content()) < LIMIT


def test_a_file_is_written_whole_for_its_owner_alone_and_takes_the_place_of_a_link(tmp_path):
    other = tmp_path / "other"
    other.write_text("mine")
    path = tmp_path / "x.tar.gz"
    path.symlink_to(other)

    write_archive(path, b"content")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"content", 0o600)
    assert other.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "x.tar.gz"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(BackendError, match=r"cannot write .*/none/x: no such file"):
        write_archive(tmp_path / "none" / "x", b"")
