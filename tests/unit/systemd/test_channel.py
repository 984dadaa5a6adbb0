"""JSON lines between the bridge and the manager."""

import socket
from collections.abc import Iterator

import pytest

from opmas.systemd.channel import Channel


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours.fileno(), ours.fileno()), theirs


def test_a_request_may_come_in_pieces(ends: tuple[Channel, socket.socket]) -> None:
    channel, manager = ends

    manager.sendall(b'{"id": 1}\n{"i')
    channel.receive()
    manager.sendall(b'd": 2}\n\n')
    channel.receive()

    assert [channel.take(), channel.take()] == [{"id": 1}, {"id": 2}]
    assert not channel.has_requests


def test_nothing_to_read_is_not_the_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends

    channel.receive()

    assert not channel.is_closed


def test_the_end_of_the_stream_closes_it(ends: tuple[Channel, socket.socket]) -> None:
    channel, manager = ends

    manager.close()
    channel.receive()

    assert channel.is_closed


def test_a_manager_that_does_not_read_is_waited_for(ends: tuple[Channel, socket.socket]) -> None:
    channel, manager = ends
    sent = [{"event": "gone", "unit": "x" * 1000, "number": number} for number in range(2000)]

    for message in sent:
        channel.send(message)
    channel.flush()
    stuck = channel.unsent_bytes
    with manager.makefile("rb") as lines:
        received = [lines.readline() for _ in _flushing(channel, sent)]

    assert 0 < stuck < 2_100_000
    assert channel.unsent_bytes == 0
    assert b'"number":1999' in received[-1]


def _flushing(channel: Channel, messages: list[dict[str, object]]) -> Iterator[None]:
    for _ in messages:
        channel.flush()
        yield


def test_a_manager_that_is_gone_closes_it(ends: tuple[Channel, socket.socket]) -> None:
    channel, manager = ends
    manager.close()

    channel.send({"event": "gone"})
    channel.flush()

    assert channel.is_closed
