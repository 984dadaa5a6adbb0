"""YAML files: what is read, and what is refused with its place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from opmas.errors import ConfigError, InvalidError
from opmas.packages import yamlfile
from opmas.packages.yamlfile import parse_yaml, read_config, read_yaml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("", None),
        ("a: {b: [1, 2.5, true, null, x]}", {"a": {"b": [1, 2.5, True, None, "x"]}}),
        ("since: 2024-01-31", {"since": "2024-01-31"}),
        ("at: 12:30", {"at": "12:30"}),
        ("equals: =", {"equals": "="}),
        ("a: &x {k: 1}\nb: *x", {"a": {"k": 1}, "b": {"k": 1}}),
        ("a: &x {k: 1}\nb: {<<: *x, l: 2}", {"a": {"k": 1}, "b": {"k": 1, "l": 2}}),
    ],
)
def test_plain_data_is_read(text: str, document: object) -> None:
    assert parse_yaml(text, where="x.yaml") == document


def laughs() -> str:
    """Nine lines that would be a billion values."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", 'line 2, column 1: the key "a" is there twice'),
        ("a: {b: 1, b: 2}", 'line 1, column 11: the key "b" is there twice'),
        ("a: !!python/name:os.system x", "line 1, column 4: the tag !!python/name:os.system"),
        ("a: !secret x", "line 1, column 4: the tag !secret is refused"),
        ("a: !!binary aGk=", "the tag !!binary is refused"),
        ("a: !!set {x}", "the tag !!set is refused"),
        ("&a [*a]", "an alias (*) holds itself"),
        (laughs(), "more than 20000 values when its aliases are followed"),
        ("[" * 70 + "]" * 70, "nested more than 64 deep"),
        ("{a: 1}: 2", "a key must be a plain word"),
        ("a: 0x" + "f" * 5000, "line 1, column 4: a number of more than 400 characters"),
        ("? 1" + "0" * 5000 + "\n: x", "a number of more than 400 characters"),
        ("a: [1, 2", "line 2, column 1: did not find expected"),
        ("\tx: 1", "line 1, column 1: found character that cannot start any token"),
        ("a: *nowhere", "found undefined alias"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: \x07", "a character that YAML does not allow"),
        ("a: " + "9" * 5000, "more than 400 characters"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_yaml(text, where="x.yaml")

    assert refused.value.message.startswith("cannot read x.yaml: ")
    assert reason in refused.value.message


def test_deep_nesting_ends_in_an_error_and_not_in_a_crash() -> None:
    with pytest.raises(InvalidError, match="nested more than 64 deep"):
        parse_yaml("[" * 100_000, where="x.yaml")


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_bytes(b"#" * (yamlfile.SIZE_LIMIT + 1))

    with pytest.raises(InvalidError, match="larger than 256 KiB"):
        read_yaml(file)


def test_a_fifo_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "agent.yaml")

    with pytest.raises(InvalidError, match="not a regular file"):
        read_yaml(tmp_path / "agent.yaml")


def test_a_file_that_is_not_utf_8_is_refused_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_bytes(b"name: caf\xe9\n")

    with pytest.raises(InvalidError, match="not UTF-8 text at byte 9"):
        read_yaml(tmp_path / "agent.yaml")


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="no such file or directory"):
        read_yaml(tmp_path / "agent.yaml")


def test_a_missing_configuration_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_config(tmp_path, "opmas.yaml") is None


def test_a_missing_configuration_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or directory"):
        read_config(tmp_path / "nowhere", "opmas.yaml")
