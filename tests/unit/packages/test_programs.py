"""Whether the programs that a command names have changed."""

import os

import pytest

from opmas.packages.programs import stamp


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_text("one")
    os.utime(path, (1, 1))
    return path


def test_a_program_that_is_replaced_has_another_stamp(program):
    before = stamp(["./bin/start", str(program)])

    program.write_text("two")

    assert stamp(["./bin/start", str(program)]) != before


def test_the_same_program_unpacked_again_has_the_same_stamp(program, tmp_path):
    before = stamp([str(program)])

    again = tmp_path / "again"
    again.write_text("one")
    os.utime(again, (1, 1))
    again.replace(program)

    assert stamp([str(program)]) == before


def test_a_program_that_goes_has_another_stamp(program):
    before = stamp([str(program)])

    program.unlink()

    assert stamp([str(program)]) != before


def test_words_that_are_no_path_do_not_matter():
    assert stamp(["./bin/start", "--port=1", "a\0b"]) == ""
