"""Bodies as they come over a socket: whole, in chunks, broken, slow."""

import contextlib
import socket
import threading
import time

import pytest
from gunicorn.http.unreader import SocketUnreader
from hypothesis import given, settings
from hypothesis import strategies as st

from opmas.api.body import LINE_LIMIT, PIECE, Body, BodyError

PARTS = [b"0", b"3", b"a", b"abc", b"\r", b"\n", b"\r\n", b";x=y", b"0\r\n", b"3\r\n", b" "]


class Wire:
    """Both ends of a connection; what was sent before `body` is in gunicorn's buffer."""

    def __init__(self, early=b"", late=b""):
        self.client, self.server = socket.socketpair()
        self.unreader = SocketUnreader(self.server)
        self.unreader.unread(early)
        self.client.sendall(late)

    def body(self, length=None, **patience):
        return Body(self.server, self.unreader, length, **patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.close()


def read_all(body, size=PIECE):
    return b"".join(iter(lambda: body.read(size), b""))


def chunked(pieces, line=b"%x\r\n"):
    return b"".join(line % len(p) + p + b"\r\n" for p in pieces) + b"0\r\n\r\n"


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), max_size=20),
    size=st.integers(1, 500),
    cut=st.integers(0, 4000),
    rest=st.binary(max_size=20),
)
def test_chunks_are_read_as_one_body_and_what_follows_is_kept(pieces, size, cut, rest):
    sent = chunked(pieces) + rest
    with Wire(sent[:cut], sent[cut:]) as wire:
        wire.client.shutdown(socket.SHUT_WR)

        assert read_all(wire.body(), size) == b"".join(pieces)
        left = wire.unreader.read()
        assert rest.startswith(left)
        assert left + wire.server.recv(100) == rest


@settings(deadline=None, max_examples=200)
@given(sent=st.lists(st.sampled_from(PARTS)).map(b"".join) | st.binary(max_size=100))
def test_whatever_is_sent_is_a_body_or_is_refused(sent):
    with Wire(b"", sent) as wire:
        wire.client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(BodyError):
            assert len(read_all(wire.body())) <= len(sent)


@pytest.mark.parametrize("cut", [0, 3, 9, 12])
def test_a_body_of_a_length_ends_there(cut):
    sent = b"123456789next"
    with Wire(sent[:cut], sent[cut:]) as wire:
        body = wire.body(9)
        wire.client.shutdown(socket.SHUT_WR)

        assert read_all(body) == b"123456789"
        assert body.read() == b""


def test_no_more_than_was_asked_for_is_returned():
    with Wire(b"", b"x" * 1000) as wire:
        assert len(wire.body(1000).read(10)) == 10


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"5\r\nabc",
        b"3\r\nabc",  # gunicorn 20.1 reads on for ever here
        b"3\r\nabcd\r\n",
        b"3\r\nabc\r\n",
        b"3\r\nabc\r\n0\r\n",
        b"x\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3;" + b"e" * LINE_LIMIT + b"\r\nabc\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"0\r\n" + b"a: b\r\n" * 17 + b"\r\n",
        b"0" * 4000,
    ],
)
def test_what_is_no_chunked_body_is_broken_and_stays_so(sent):
    with Wire(b"", sent) as wire:
        body = wire.body()
        wire.client.shutdown(socket.SHUT_WR)

        with pytest.raises(BodyError):
            read_all(body)
        with pytest.raises(BodyError):
            body.read()


@pytest.mark.parametrize("line", [b"%x;a=b\r\n", b"%X \r\n", b"000%x\r\n"])
def test_ways_to_write_the_size_of_a_chunk(line):
    with Wire(b"", chunked([b"a" * 11], line)) as wire:
        assert read_all(wire.body()) == b"a" * 11


def test_trailers_are_passed_over():
    with Wire(b"1\r\na\r\n0\r\nDigest: x\r\n\r\n") as wire:
        assert read_all(wire.body()) == b"a"


def test_a_client_that_leaves_early_is_noticed():
    with Wire(b"12", b"345") as wire:
        body = wire.body(9)
        wire.client.shutdown(socket.SHUT_WR)

        with pytest.raises(BodyError):
            read_all(body)


def test_a_client_that_falls_silent_is_not_waited_for():
    with Wire(b"", b"12") as wire:
        body = wire.body(9, silence=0.05)
        assert body.read() == b"12"

        with pytest.raises(TimeoutError):
            body.read()
        with pytest.raises(BodyError):
            body.read()


def test_a_client_that_dribbles_has_no_more_time_than_its_bytes_earn():
    begun_at = time.monotonic()
    with Wire() as wire:
        body = wire.body(10**6, grace=0.1)

        with pytest.raises(TimeoutError):
            dribble(wire, body)

    assert time.monotonic() - begun_at < 2


def dribble(wire, body):
    for _ in range(1000):
        wire.client.sendall(b"x")
        body.read()
        time.sleep(0.005)  # the client's pace


def test_many_small_chunks_take_no_more_than_their_share_of_time():
    sent = chunked([b"x"] * 100_000)
    begun_at = time.process_time()
    with Wire() as wire:
        feeder = threading.Thread(target=wire.client.sendall, args=(sent,))
        feeder.start()
        count = len(read_all(wire.body()))
        feeder.join()

    assert count == 100_000
    assert time.process_time() - begun_at < 3
