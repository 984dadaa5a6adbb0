import sqlite3

import pytest

from opmas.errors import StoreError
from opmas.store.check import find_damage


def filled(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x TEXT)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    connection.execute("CREATE INDEX i ON t (x)")
    connection.commit()
    connection.close()
    return path


def test_a_sound_database_has_no_damage(tmp_path):
    assert find_damage(filled(tmp_path / "a?b#c.db")) == []


def test_damage_in_a_page_is_found_and_the_file_is_left_as_it_is(tmp_path):
    path = filled(tmp_path / "a.db")
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xff" * (4096 * 2)
    path.write_bytes(content)

    damage = find_damage(path)

    assert damage
    assert path.read_bytes() == bytes(content)


def test_a_file_that_is_no_database_is_an_error(tmp_path):
    path = tmp_path / "a.db"
    path.write_text("no database" * 100)

    with pytest.raises(StoreError, match="file is not a database"):
        find_damage(path)


def test_a_missing_file_is_an_error_and_is_not_made(tmp_path):
    path = tmp_path / "a.db"

    with pytest.raises(StoreError, match="unable to open"):
        find_damage(path)

    assert not path.exists()
