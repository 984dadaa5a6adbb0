"""Whether a client that waits is still there, and still welcome."""

import socket

import pytest

from opmas.api.presence import Presence


@pytest.fixture
def known(api):
    return api.tokens.create("ci")[0]


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_client_with_a_live_token_is_welcome(api, known, pair):
    assert Presence(pair[0], known, api.tokens, 0).lasts()


def test_what_a_client_sends_meanwhile_is_no_farewell(api, known, pair):
    pair[1].send(b"GET ")

    assert Presence(pair[0], known, api.tokens).lasts()


@pytest.mark.parametrize("leave", [socket.socket.close, lambda s: s.shutdown(socket.SHUT_WR)])
def test_a_client_that_closed_has_left(api, known, pair, leave):
    leave(pair[1])

    assert not Presence(pair[0], known, api.tokens).lasts()


def test_a_revoked_token_is_noticed_at_the_next_check(api, known):
    later, now = (Presence(None, known, api.tokens, every) for every in (60, 0))

    api.tokens.revoke("ci")

    assert (later.lasts(), now.lasts()) == (True, False)


def test_a_broken_database_sends_nobody_away(api, known, folder):
    api.database.close()
    (folder / "api.db").write_bytes(b"this is no database" * 100)

    assert Presence(None, known, api.tokens, 0).lasts()
