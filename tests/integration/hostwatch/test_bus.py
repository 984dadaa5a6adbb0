"""The system bus: a real dbus-daemon, and sockets that misbehave."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from opmas.agents.hostwatch.hostwatch.dbus import BusError, Method, Reader, call, render_strings
from opmas.agents.hostwatch.hostwatch.units import LIST_UNITS, read_failed_units

BUS = "org.freedesktop.DBus"
LIST_NAMES = Method(BUS, "/org/freedesktop/DBus", BUS, "ListNames")
GET_OWNER = Method(BUS, "/org/freedesktop/DBus", BUS, "GetNameOwner")

CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """Return the address of a real bus, on which systemd is not."""
    address = tmp_path / "bus"
    config = tmp_path / "bus.conf"
    config.write_text(CONFIG.format(path=address))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    daemon.stdout.readline()  # it listens when it has said where
    yield str(address)
    daemon.kill()
    daemon.wait(10)
    daemon.stdout.close()


@pytest.fixture
def odd_bus(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a socket that answers everybody with the parameter, then hangs up."""
    address = str(tmp_path / "odd")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        answer = threading.Thread(target=answer_one, args=(server, request.param))
        answer.start()
        yield address
        answer.join(10)


def answer_one(server: socket.socket, answer: bytes) -> None:
    client, _ = server.accept()
    with client:
        client.recv(65536)
        client.sendall(answer)


@pytest.fixture
def deaf_bus(tmp_path: Path) -> Iterator[str]:
    """Return the address of a socket that takes connections and says nothing."""
    address = str(tmp_path / "deaf")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        yield address


def test_a_real_bus_answers_a_call(bus):
    reply = call(LIST_NAMES, "", b"", bus, timeout=5)

    reader = Reader(reply.body, reply.order)
    reader.number()
    assert reader.text() == BUS


def test_a_real_bus_takes_arguments(bus):
    body = render_strings((BUS,))[4:]  # one string, without its array

    reply = call(GET_OWNER, "s", body, bus, timeout=5)

    assert Reader(reply.body, reply.order).text() == BUS


def test_an_error_of_the_bus_is_told_in_its_words(bus):
    body = render_strings(("failed",)) + b"\0" + render_strings(())

    with pytest.raises(BusError, match=r"org\.freedesktop\.systemd1 was not provided"):
        call(LIST_UNITS, "asas", body, bus, timeout=5)


def test_a_bus_that_is_not_there_is_named():
    with pytest.raises(BusError, match="/nowhere/bus: No such file or directory"):
        call(LIST_NAMES, "", b"", "/nowhere/bus", timeout=5)


def test_a_bus_that_does_not_answer_is_not_waited_for(deaf_bus):
    with pytest.raises(BusError, match=r"no answer within 0\.2 s"):
        call(LIST_NAMES, "", b"", deaf_bus, timeout=0.2)


@pytest.mark.parametrize(
    ("odd_bus", "reason"),
    [
        (b"REJECTED EXTERNAL\r\n", "the bus refused this user"),
        (b"DATA\r\nOK 00ff\r\n", "the bus closed the connection|Connection reset"),
        (b"DATA\r\nOK 00ff\r\nGET / HTTP/1.1\r\n\r\n", "no D-Bus message"),
    ],
    indirect=["odd_bus"],
)
def test_a_bus_that_makes_no_sense_is_refused_with_the_reason(odd_bus, reason):
    with pytest.raises(BusError, match=reason):
        call(LIST_NAMES, "", b"", odd_bus, timeout=5)


def test_without_systemd_nothing_is_asked(tmp_path):
    assert read_failed_units("/nowhere/bus", str(tmp_path)) is None
