"""The process between the manager and systemd: `python3 -m opmas.systemd.bridge`.

pystemd holds the GIL during each call, waits for up to 20 s, and can crash its process; so it is
alone here, and the manager, which can kill this process, stays alive whatever happens in it. It
remembers nothing that the manager needs: after a start it reads everything and says `resynced`.

One JSON object a line, both ways, on stdin and stdout:

    {"id": 1, "call": "start", "unit": "opmas-agent@web.service", "arguments": []}
    {"id": 1, "result": 83}    or    {"id": 1, "reason": "masked", "message": "Unit ... is masked"}
    {"event": "changed", "states": [[...], ...]}       rows as in `sightings`
    {"event": "job", "unit": "...", "job_id": 83, "result": "done"}
    {"event": "gone", "unit": "..."}
    {"event": "resynced", "states": [...], "version": "252.39-1~deb12u2", "connection": "private"}
    {"event": "disconnected", "reason": "..."}

Calls are answered in order, and before any signal that they caused is looked at.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import agent_name, is_managed
from opmas.systemd.backoff import Backoff
from opmas.systemd.bus import MANAGER_PATH, PRIVATE_SOCKET, Bus, BusError
from opmas.systemd.calls import perform, reason_of
from opmas.systemd.channel import Channel
from opmas.systemd.connection import Connection
from opmas.systemd.paths import AGENT_PATHS
from opmas.systemd.sightings import Burst, Sightings, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opmas.systemd.bus import Signal

SIGNALS_PER_TURN: Final = 256
CALLS_PER_TURN: Final = 8
SIGNALS_PER_CHECK: Final = 8192
# sd-bus may hold a message while the file descriptor is silent; this bounds for how long.
TICK_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = (0.05, 5.0)  # first and longest wait; it doubles
RETURN_SECONDS: Final = (1.0, 30.0)  # the same, for going back to the private socket
# Within it a unit that was unloaded is often loaded again (restart, `systemctl status`), and
# reloads follow each other.
SETTLE_SECONDS: Final = 0.05
# More than this means that the manager does not read: events are dropped, and a check follows.
UNSENT_BYTES_MAX: Final = 8 * 1024 * 1024


class Bridge:
    """Answers the manager's calls and tells it what happens, until the channel closes."""

    def __init__(
        self,
        channel: Channel,
        private: Callable[[], Bus] = Bus.private,
        system: Callable[[], Bus] = Bus.system,
    ) -> None:
        self._channel = channel
        self._kinds = {"private": private, "bus": system}
        self._connection: Connection | None = None
        self._reconnect = Backoff(*RECONNECT_SECONDS)
        self._return = Backoff(*RETURN_SECONDS)
        self._sightings = Sightings()
        self._touched: set[bytes] = set()
        self._removed: dict[bytes, str] = {}
        self._removed_due_at = 0.0
        self._check_due_at: float | None = None
        self._is_reloading = False
        self._reason = "not connected yet"

    def run(self) -> None:
        """Work until the manager closes its end."""
        while not self._channel.is_closed:
            try:
                self._turn()
            except BusError as error:
                self._lose(error)
            self._channel.flush()
        if self._connection is not None:
            self._connection.close()

    def _turn(self) -> None:
        if self._connection is None and time.monotonic() >= self._reconnect.due_at:
            self._connect()
        self._wait()
        self._answer()
        if self._connection is not None:
            self._hear(self._connection, SIGNALS_PER_TURN)
            self._tend(self._connection)

    # ---- connections ----

    def _connect(self) -> None:
        for kind, connect in self._kinds.items():
            try:
                self._adopt(Connection(kind, connect))
            except BusError as error:
                self._tell_lost(f"{kind}: {error.message}")
            else:
                return
        self._reconnect.failed()

    def _adopt(self, connection: Connection) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = connection
        self._reconnect.reset()
        self._sightings = Sightings()
        self._removed.clear()
        self._is_reloading = False
        self._check_due_at = 0.0
        self._reason = ""
        if connection.kind == "bus":
            self._return.failed()

    def _lose(self, error: BusError) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._tell_lost(error.message)

    def _tell_lost(self, reason: str) -> None:
        if self._reason != reason:
            self._reason = reason
            self._channel.send({"event": "disconnected", "reason": reason})

    def _return_to_private(self) -> None:
        try:
            self._adopt(Connection("private", self._kinds["private"]))
        except BusError:
            self._return.failed()
        else:
            self._return.reset()

    # ---- requests ----

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._channel.reads, select.POLLIN)
        if self._channel.unsent_bytes:
            poll.register(self._channel.writes, select.POLLOUT)
        for fd in self._connection.fds() if self._connection is not None else ():
            poll.register(fd, select.POLLIN)
        if any(fd == self._channel.reads for fd, _ in poll.poll(self._patience() * 1000)):
            self._channel.receive()

    def _patience(self) -> float:
        """Return for how many seconds there is nothing to do unless something comes."""
        if self._channel.has_requests:
            return 0
        due = [TICK_SECONDS + time.monotonic()]
        if self._connection is None:
            due.append(self._reconnect.due_at)
        elif self._connection.has_more:
            return 0
        else:
            due += [self._check_due_at] if self._check_due_at is not None else []
            due += [self._removed_due_at] if self._removed and not self._is_reloading else []
        return max(0.0, min(due) - time.monotonic())

    def _answer(self) -> None:
        for _ in range(CALLS_PER_TURN):
            if not self._channel.has_requests:
                return
            self._answer_one(self._channel.take())

    def _answer_one(self, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": request["id"]}
        try:
            answer["result"] = self._perform(request)
        except BusError as error:
            answer |= {"reason": reason_of(error), "message": error.message}
            if error.lost:
                self._channel.send(answer)
                raise
        self._channel.send(answer)

    def _perform(self, request: dict[str, Any]) -> Any:
        call = request["call"]
        if call == "ping":
            return None
        if self._connection is None:
            raise BusError("disconnected", f"systemd cannot be reached: {self._reason}")
        if call == "resync":
            return self._check(self._connection)
        return perform(self._connection.calls, call, request["unit"], request["arguments"])

    # ---- signals ----

    def _hear(self, connection: Connection, limit: int) -> int:
        signals = connection.signals(limit)
        burst = Burst()
        for heard in signals:
            if heard.path.startswith(AGENT_PATHS):
                self._hear_unit(heard, burst)
            elif heard.path == MANAGER_PATH:
                self._hear_manager(heard, burst)
        self._tell(burst)
        return len(signals)

    def _hear_unit(self, heard: Signal, burst: Burst) -> None:
        interface, values, *_ = heard.body()
        self._touched.add(heard.path)
        row = self._sightings.apply(heard.path, interface, values or {})
        if row is not None and agent_name(row[0]) is not None:
            burst.changed(row)

    def _hear_manager(self, heard: Signal, burst: Burst) -> None:
        member = heard.member
        if member == b"JobRemoved":
            job_id, _, unit, result = heard.body()
            if is_managed(text(unit)):
                burst.job_removed(text(unit), job_id, text(result))
        elif member == b"Reloading":
            self._is_reloading = bool(heard.body())
            if not self._is_reloading:
                self._check_due_at = time.monotonic() + SETTLE_SECONDS
        elif member == b"UnitRemoved" and not self._is_reloading:
            self._hear_removal(heard)

    def _hear_removal(self, heard: Signal) -> None:
        unit, path = heard.body()
        if path in self._sightings and path not in self._removed:
            if not self._removed:
                self._removed_due_at = time.monotonic() + SETTLE_SECONDS
            self._removed[path] = text(unit)

    def _tell(self, burst: Burst) -> None:
        if self._channel.unsent_bytes > UNSENT_BYTES_MAX:
            self._check_due_at = time.monotonic() + TICK_SECONDS
            return
        for event in burst.events:
            self._channel.send(event)

    # ---- checks ----

    def _tend(self, connection: Connection) -> None:
        now = time.monotonic()
        if connection.kind == "bus" and now >= self._return.due_at:
            self._return_to_private()
        elif self._check_due_at is not None and now >= self._check_due_at:
            self._check(connection)
        elif self._removed and now >= self._removed_due_at and not self._is_reloading:
            self._tell_gone(connection)

    def _tell_gone(self, connection: Connection) -> None:
        few = len(self._removed) <= SIGNALS_PER_TURN // 8
        loaded = {row[6] for row in connection.loaded(*(self._removed.values() if few else ()))}
        for path in self._removed.keys() - loaded:
            self._send_gone(self._sightings.forget(path))
        self._removed.clear()

    def _send_gone(self, unit: str | None) -> None:
        if unit is not None and agent_name(unit) is not None:
            self._channel.send({"event": "gone", "unit": unit})

    def _check(self, connection: Connection) -> None:
        """Read all units and say so; edges of before and meanwhile are told first, in order."""
        if self._channel.unsent_bytes > UNSENT_BYTES_MAX:
            self._check_due_at = time.monotonic() + TICK_SECONDS
            return
        self._check_due_at = None
        self._hear(connection, SIGNALS_PER_CHECK)
        self._touched.clear()
        read = connection.read_all(self._sightings.rows)
        self._hear(connection, SIGNALS_PER_CHECK)
        before = dict(self._sightings.rows)
        states = self._sightings.merge(read, self._touched)
        self._touched.clear()
        for path in before.keys() - self._sightings.rows.keys():
            self._send_gone(before[path][0])
        # What was unloaded meanwhile is among the states, and is told to be gone in its turn.
        self._removed = {p: unit for p, unit in self._removed.items() if p in self._sightings}
        self._channel.send(
            {
                "event": "resynced",
                "states": [row for row in states if agent_name(row[0]) is not None],
                "version": connection.version,
                "connection": connection.kind,
            }
        )


def main(argv: Sequence[str] = ()) -> int:
    """Serve the manager at the other end of stdin and stdout; `argv` may name PID 1's socket."""
    socket = argv[0] if argv else PRIVATE_SOCKET
    # It ends when the manager closes the channel; signals to the whole service are the manager's.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Bridge(Channel(), lambda: Bus.private(socket)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
