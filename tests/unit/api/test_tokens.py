"""Tokens and the database that they are in."""

import sqlite3

import pytest

from opmas.api.database import Database
from opmas.api.tokens import TOKEN, Tokens
from opmas.errors import InvalidError, RequestError, StoreError

DAY = 86400


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(folder):
    database = Database(str(folder / "api.db"))
    yield database
    database.close()


@pytest.fixture
def tokens(database, clock):
    return Tokens(database, clock)


def test_a_token_is_found_by_its_text(tokens):
    token, text = tokens.create("ci")

    assert TOKEN.fullmatch(text)
    assert tokens.find(text) == token


def test_no_two_tokens_are_alike(tokens):
    texts = {tokens.create(f"t{number}")[1] for number in range(50)}

    assert len(texts) == 50


def test_the_secret_is_in_no_file(tokens, folder):
    _, text = tokens.create("ci")
    secret = text.split("_", 2)[2].encode()

    assert [f.name for f in folder.iterdir() if secret in f.read_bytes()] == []


def test_the_digest_is_not_shown(tokens):
    token, _ = tokens.create("ci")

    assert token.digest not in repr(token)


def test_a_token_ends_with_its_lifetime(tokens, clock):
    token, text = tokens.create("ci", lifetime=DAY)

    clock.now += DAY - 1
    before = tokens.find(text)
    clock.now += 1

    assert before == token
    assert tokens.find(text) is None
    assert not tokens.is_live(token)


def test_a_token_is_revoked_by_name_or_id(tokens):
    first, first_text = tokens.create("first")
    second, second_text = tokens.create("second")

    tokens.revoke("first")
    tokens.revoke(second.id)

    assert (tokens.find(first_text), tokens.find(second_text)) == (None, None)
    assert tokens.all() == []
    assert not tokens.is_live(first)


def test_the_name_of_a_revoked_token_is_free_again(tokens):
    tokens.create("ci")
    with pytest.raises(RequestError, match="there is one of that name"):
        tokens.create("ci")

    tokens.revoke("ci")

    assert tokens.create("ci")[0].name == "ci"


def test_what_is_not_there_cannot_be_revoked(tokens):
    with pytest.raises(RequestError, match='cannot revoke token "ci"'):
        tokens.revoke("ci")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "-a", "é", "a" * 64, "a'b"])
def test_a_name_is_a_word(tokens, name):
    with pytest.raises(InvalidError, match="cannot create token"):
        tokens.create(name)


def test_the_last_use_is_written_now_and_then(tokens, clock):
    _, text = tokens.create("ci")

    tokens.mark_used(tokens.find(text))
    first = tokens.find(text).last_used_at
    clock.now += 30
    tokens.mark_used(tokens.find(text))
    second = tokens.find(text).last_used_at
    clock.now += 40
    tokens.mark_used(tokens.find(text))

    assert (first, second) == (1_800_000_000, 1_800_000_000)
    assert tokens.find(text).last_used_at == 1_800_000_070


@pytest.mark.parametrize("text", ["", "opmas_", "opmas__", "x" * 100_000, "opmas_é_" + "a" * 43])
def test_what_is_no_token_is_found_nowhere(tokens, text):
    assert tokens.find(text) is None


def test_the_database_is_for_its_user_alone(database, folder):
    database.run("SELECT 1")

    assert (folder / "api.db").stat().st_mode & 0o777 == 0o600


def test_a_second_process_sees_what_the_first_wrote(tokens, folder, clock):
    token, text = tokens.create("ci")
    other = Database(str(folder / "api.db"))

    found = Tokens(other, clock).find(text)
    other.close()

    assert found == token


def test_a_database_of_a_newer_version_is_left_alone(folder):
    with sqlite3.connect(folder / "api.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StoreError, match="newer version of OPMAS"):
        Database(str(folder / "api.db")).run("SELECT 1")


def test_a_database_that_cannot_be_opened_is_tried_again_at_the_next_use(folder):
    database = Database(str(folder / "missing" / "api.db"))
    with pytest.raises(StoreError, match=r"missing/api\.db: no such file or directory"):
        database.run("SELECT 1")

    (folder / "missing").mkdir()

    assert database.run("SELECT 1 AS one") == [{"one": 1}]
    database.close()


def test_a_migration_is_applied_once(database, folder):
    database.run("INSERT INTO tokens (id, name, digest, created_at) VALUES ('a', 'b', 'c', 1)")
    database.close()

    assert len(database.run("SELECT * FROM tokens")) == 1
