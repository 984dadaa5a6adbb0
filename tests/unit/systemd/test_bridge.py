"""The bridge between a manager and a systemd that are both made up."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from opmas.systemd.bridge import Bridge
from opmas.systemd.bus import MANAGER_PATH, UNIT, Bus, BusError
from opmas.systemd.channel import Channel
from opmas.systemd.paths import unit_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEB = "opmas-agent@web.service"
ACTIVE = {b"ActiveState": b"active", b"SubState": b"running"}
FAILED = {b"ActiveState": b"failed", b"SubState": b"failed"}
LOST = BusError("disconnected", "gone", lost=True)


class MadeSignal:
    """A signal with what pystemd would give."""

    def __init__(self, path: bytes, member: bytes, body: object) -> None:
        self.path = path
        self.member = member
        self._body = body

    def body(self) -> object:
        return self._body


def changed(values: dict[bytes, bytes], unit: str = WEB) -> MadeSignal:
    return MadeSignal(unit_path(unit), b"PropertiesChanged", [UNIT, values, []])


def job_removed(job_id: int, unit: str = WEB) -> MadeSignal:
    return MadeSignal(MANAGER_PATH, b"JobRemoved", [job_id, b"/job", unit.encode(), b"done"])


def unit_removed(unit: str = WEB) -> MadeSignal:
    return MadeSignal(MANAGER_PATH, b"UnitRemoved", [unit.encode(), unit_path(unit)])


def reloading(*, begins: bool) -> MadeSignal:
    return MadeSignal(MANAGER_PATH, b"Reloading", begins)


class MadeSystemd:
    """What both connections of the bridge reach: `send` makes signals, `loaded` is listed."""

    def __init__(self) -> None:
        self.signals: deque[MadeSignal | BusError] = deque()
        self.loaded: dict[str, str] = {}
        self.on_start: list[MadeSignal] = []
        self.is_up = True
        self.kinds: list[str] = []
        self._reads, self._writes = os.pipe()

    def send(self, *signals: MadeSignal | BusError) -> None:
        self.signals.extend(signals)
        os.write(self._writes, b"x")

    def close(self) -> None:
        os.close(self._reads)
        os.close(self._writes)

    def connect(self, kind: str) -> Callable[[], Bus]:
        def connected() -> Bus:
            if not self.is_up:
                raise LOST
            self.kinds.append(kind)
            return cast("Bus", MadeBus(self))

        return connected


class MadeBus:
    """One connection: only the first one is given signals."""

    has_more = False

    def __init__(self, systemd: MadeSystemd) -> None:
        self._systemd = systemd
        self._hears = len(systemd.kinds) % 2 == 1
        self.fd = os.dup(systemd._reads)

    def close(self) -> None:
        os.close(self.fd)

    def version(self) -> str:
        return "252"

    def subscribe(self, *_: str) -> None:
        """Need nothing more."""

    def drain(self, limit: int) -> list[MadeSignal]:
        heard: list[MadeSignal] = []
        while self._hears and self._systemd.signals and len(heard) < limit:
            signal = self._systemd.signals.popleft()
            if isinstance(signal, BusError):
                raise signal
            heard.append(signal)
        return heard

    def call(self, method: bytes, _signature: bytes = b"", *values: Any) -> object:
        if method == b"StartUnit":
            self._systemd.send(*self._systemd.on_start)
            return b"/org/freedesktop/systemd1/job/7"
        if method == b"ListUnitsByPatterns":
            return [_listed(unit, state) for unit, state in self._systemd.loaded.items()]
        raise LOST

    def get(self, _path: bytes, _interface: bytes, name: bytes, signature: bytes) -> object:
        return {b"s": b"success", b"ay": []}.get(signature, 0)


def _listed(unit: str, state: str) -> tuple[object, ...]:
    path = unit_path(unit)
    return (unit.encode(), b"", b"loaded", state.encode(), b"running", b"", path, 0, b"", b"/")


class Manager:
    """The other end of the bridge."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lines = end.makefile("rb")

    def ask(self, call: str, unit: str = WEB, *arguments: object) -> None:
        request = {"id": 1, "call": call, "unit": unit, "arguments": arguments}
        self._end.sendall(json.dumps(request).encode() + b"\n")

    def hears(self) -> dict[str, Any]:
        return dict(json.loads(self._lines.readline()))

    def hears_words(self, number: int) -> list[str]:
        """Return the kinds of so many messages: an event's name, or that it is an answer."""
        return [self.hears().get("event", "answer") for _ in range(number)]

    def close(self) -> None:
        self._lines.close()
        self._end.close()


@contextmanager
def bridge(systemd: MadeSystemd) -> Iterator[Manager]:
    """Run a bridge in a thread until the block ends."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs.fileno(), theirs.fileno())
    made = Bridge(channel, systemd.connect("private"), systemd.connect("bus"))
    running = threading.Thread(target=made.run)
    manager = Manager(ours)
    with theirs:
        running.start()
        try:
            yield manager
        finally:
            manager.close()
            running.join()
            systemd.close()


def test_it_begins_with_all_units_that_are_loaded() -> None:
    systemd = MadeSystemd()
    systemd.loaded = {WEB: "active", "opmas-agent@Not_An_Agent.service": "active"}

    with bridge(systemd) as manager:
        first = manager.hears()

    assert (first["event"], first["version"], first["connection"]) == (
        "resynced",
        "252",
        "private",
    )
    assert [row[:3] for row in first["states"]] == [[WEB, "loaded", "active"]]


def test_the_answer_of_a_start_comes_before_the_signals_that_it_caused() -> None:
    systemd = MadeSystemd()
    systemd.on_start = [changed(ACTIVE), job_removed(7)]

    with bridge(systemd) as manager:
        manager.hears()
        manager.ask("start")
        answer, states, job = manager.hears(), manager.hears(), manager.hears()

    assert answer == {"id": 1, "result": 7}
    assert states["states"][0][2] == "active"
    assert job == {"event": "job", "unit": WEB, "job_id": 7, "result": "done"}


def test_no_edge_of_a_burst_is_lost() -> None:
    systemd = MadeSystemd()

    with bridge(systemd) as manager:
        manager.hears()
        systemd.send(changed(FAILED), changed(FAILED), changed(ACTIVE))
        told = manager.hears()

    assert [row[2] for row in told["states"]] == ["failed", "active"]


def test_what_is_not_an_agents_is_not_told() -> None:
    systemd = MadeSystemd()

    with bridge(systemd) as manager:
        manager.hears()
        systemd.send(
            changed(ACTIVE, "dbus.service"),
            changed(ACTIVE, "opmas-agent@Not_An_Agent.service"),
            job_removed(3, "dbus.service"),
            job_removed(4, "opmas-probe@web.service"),
        )
        told = manager.hears()

    assert told["unit"] == "opmas-probe@web.service"


def test_an_unloaded_unit_is_told_to_be_gone_unless_it_is_loaded_again() -> None:
    systemd = MadeSystemd()
    db = "opmas-agent@db.service"
    systemd.loaded = {WEB: "inactive", db: "inactive"}

    with bridge(systemd) as manager:
        manager.hears()
        del systemd.loaded[WEB]
        systemd.send(unit_removed(WEB), unit_removed(db))
        gone = manager.hears()
        manager.ask("resync")
        resynced = manager.hears()

    assert gone == {"event": "gone", "unit": WEB}
    assert [row[0] for row in resynced["states"]] == [db]


def test_a_reload_ends_in_one_check_and_unloads_nothing() -> None:
    systemd = MadeSystemd()
    systemd.loaded = {WEB: "active"}

    with bridge(systemd) as manager:
        manager.hears()
        systemd.send(reloading(begins=True), unit_removed(WEB), reloading(begins=False))
        systemd.send(reloading(begins=True), unit_removed(WEB), reloading(begins=False))
        told = manager.hears()
        manager.ask("ping")
        after = manager.hears()

    assert told["event"] == "resynced"
    assert [row[0] for row in told["states"]] == [WEB]
    assert after == {"id": 1, "result": None}


def test_what_a_check_finds_unloaded_is_told_to_be_gone_first() -> None:
    systemd = MadeSystemd()
    systemd.loaded = {WEB: "active"}

    with bridge(systemd) as manager:
        manager.hears()
        systemd.loaded = {}
        manager.ask("resync")
        heard = manager.hears_words(3)

    assert heard == ["gone", "resynced", "answer"]


def test_a_lost_connection_is_told_and_made_again() -> None:
    systemd = MadeSystemd()

    with bridge(systemd) as manager:
        manager.hears()
        systemd.send(LOST)
        heard = manager.hears_words(2)

    assert heard == ["disconnected", "resynced"]


def test_a_call_that_loses_the_connection_is_answered_first() -> None:
    systemd = MadeSystemd()

    with bridge(systemd) as manager:
        manager.hears()
        manager.ask("stop")
        answer = manager.hears()
        heard = manager.hears_words(2)

    assert (answer["reason"], answer["message"]) == ("unavailable", "gone")
    assert heard == ["disconnected", "resynced"]


def test_without_systemd_calls_are_refused_at_once() -> None:
    systemd = MadeSystemd()
    systemd.is_up = False

    with bridge(systemd) as manager:
        manager.hears_words(2)
        manager.ask("start")
        answer = manager.hears()

    assert answer["reason"] == "unavailable"
    assert answer["message"] == "systemd cannot be reached: bus: gone"


def test_every_descriptor_is_closed_after_a_reconnect() -> None:
    systemd = MadeSystemd()
    before = _open_files()

    with bridge(systemd) as manager:
        manager.hears()
        systemd.send(LOST)
        manager.hears_words(2)

    assert _open_files() == before - 2  # the pipe of the made-up systemd


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
