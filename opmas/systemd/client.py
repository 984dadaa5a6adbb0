"""The manager's view of systemd: the `Units` port, by way of the bridge process.

Rule 1: the bridge may die, hang or be killed at any moment. It is started anew, and the
        `Resynced` that it begins with says what was missed.
Rule 2: a call ends when the bridge answers nothing for as long as its deadline. A bridge that
        leaves a request unanswered for `stuck_after` is killed: by its process ID, with SIGKILL.
Rule 3: a call whose bridge died is not repeated: systemd may have acted on it. Its caller gets
        `SystemdError` with the reason unavailable, and the events tell.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from opmas.errors import SystemdError
from opmas.ports import Disconnected, Resynced
from opmas.systemd.backoff import Backoff
from opmas.systemd.messages import parse_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from opmas.ports import UnitEvent

logger = logging.getLogger(__name__)

LINE_BYTES_MAX: Final = 16 * 1024 * 1024  # a `resynced` of 3000 units has 600 KB
EVENTS_MAX: Final = 20_000  # so many that nobody takes are worth less than a fresh check


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, the manager waits for what."""

    call_timeout: float = 5.0
    reload_timeout: float = 60.0
    clean_timeout: float = 600.0
    clean_poll: float = 0.05
    stuck_after: float = 30.0
    ping_every: float = 10.0
    respawn_first: float = 0.05
    respawn_longest: float = 5.0


def bridge_command() -> tuple[str, ...]:
    """Return how the bridge is run from the tree of modules that this one is in."""
    tree = Path(__file__).parents[2]
    return (
        "/usr/bin/env",
        f"PYTHONPATH={tree}",
        sys.executable,
        "-sP",
        "-m",
        "opmas.systemd.bridge",
    )


class SystemdUnits:
    """systemd's units of agents, for as long as the `async with` block lasts."""

    def __init__(self, command: Sequence[str] = (), patience: Patience | None = None) -> None:
        self._command = tuple(command) or bridge_command()
        self._patience = patience or Patience()
        self._events: asyncio.Queue[UnitEvent] = asyncio.Queue()
        self._calls: dict[int, _Call] = {}
        self._last_id = 0
        self._answered_at = 0.0
        self._took: float | None = None  # the last answer, in seconds
        self._writer: asyncio.StreamWriter | None = None
        self._is_linked = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._respawn = Backoff(self._patience.respawn_first, self._patience.respawn_longest)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def bridge_pid(self) -> int | None:
        """The process ID of the bridge, or None between two of them."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._keep_bridge(), name="systemd bridge"),
            asyncio.create_task(self._keep_watch(), name="systemd bridge watch"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._process is not None:  # the task was cancelled while it ended one
            self._process.kill()
            self._process.wait()
            self._process = None

    # ---- the port ----

    async def start(self, unit: str) -> int:
        """Queue a start and return its job id."""
        return int(await self._call("start", unit))

    async def stop(self, unit: str) -> int:
        """Queue a stop and return its job id."""
        return int(await self._call("stop", unit))

    async def restart(self, unit: str) -> int:
        """Queue a restart and return its job id."""
        return int(await self._call("restart", unit))

    async def reset_failed(self, unit: str) -> None:
        """Forget the unit's failure and its count of starts; fine when it is not loaded."""
        await self._call("reset_failed", unit)

    async def kill(self, unit: str, signal: int) -> None:
        """Send a signal to every process of the unit."""
        await self._call("kill", unit, int(signal))

    async def set_limits(self, unit: str, limits: Mapping[str, int]) -> None:
        """Set limits on the loaded unit until the next boot, under systemd's property names."""
        await self._call("set_limits", unit, dict(limits))

    async def clean(self, unit: str, what: Sequence[str]) -> None:
        """Delete the inactive unit's directories of these kinds; returns when they are gone."""
        await self._cleaned(unit)  # a manager before this one may have asked for it already
        await self._call("clean", unit, list(what))
        await self._cleaned(unit)

    async def _cleaned(self, unit: str) -> None:
        """Wait as `systemctl clean` does: systemd answers CleanUnit when it begins to delete."""
        patience = self._patience
        try:
            async with asyncio.timeout(patience.clean_timeout):
                while await self._call("is_cleaning", unit):  # noqa: ASYNC110 -- systemd is asked
                    await asyncio.sleep(patience.clean_poll)
        except TimeoutError as error:
            text = f'cannot clean "{unit}": not done after {patience.clean_timeout:.0f} s'
            raise SystemdError(text, reason="timeout") from error

    async def needs_reload(self, unit: str) -> bool:
        """Return whether the unit's files are newer than what systemd has loaded."""
        return bool(await self._call("needs_reload", unit))

    async def network_bytes(self, unit: str) -> tuple[int, int] | None:
        """Return what the unit received and sent; None where `IPAccounting=` is not on."""
        counts = await self._call("network_bytes", unit)
        return None if counts is None else (int(counts[0]), int(counts[1]))

    async def reload_daemon(self) -> None:
        """Have systemd read all unit files anew."""
        await self._call("reload_daemon")

    async def resync(self) -> None:
        """Have all units read afresh; returns when the `Resynced` is among the events."""
        await self._call("resync")

    async def events(self) -> AsyncIterator[UnitEvent]:
        """Yield what happens to the units, without end; for one listener."""
        while True:
            yield await self._events.get()

    def answer_seconds(self) -> float | None:
        """Return how long the last answer took, or the next one is waited for by now."""
        asked_at = min((call.asked_at for call in self._calls.values()), default=None)
        if asked_at is None:
            return self._took
        return max(self._took or 0.0, time.monotonic() - max(asked_at, self._answered_at))

    # ---- calls ----

    async def _call(self, call: str, unit: str = "", *arguments: object) -> Any:
        patience = self._patience
        timeout = patience.reload_timeout if call == "reload_daemon" else patience.call_timeout
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                await self._is_linked.wait()
            return await self._answer(self._send(call, unit, list(arguments)), timeout)
        except TimeoutError as error:
            reason = "timeout" if self._is_linked.is_set() else "unavailable"
            text = f"no answer within {time.monotonic() - asked_at:.0f} s"
            raise SystemdError(f"cannot {_what(call, unit)}: {text}", reason=reason) from error

    async def _answer(self, waiting: _Call, silence: float) -> Any:
        """Wait for the answer as long as there are any: calls are answered one by one."""
        left = silence
        try:
            while left > 0:
                done, _ = await asyncio.wait({waiting.answer}, timeout=left)
                if done:
                    return waiting.answer.result()
                left = self._answered_at + silence - time.monotonic()
        finally:
            waiting.answer.cancel()
            waiting.is_over.set()
        raise TimeoutError

    def _send(self, call: str, unit: str, arguments: list[object]) -> _Call:
        if self._writer is None:
            raise SystemdError("cannot reach systemd: no bridge runs")
        self._last_id += 1
        request = {"id": self._last_id, "call": call, "unit": unit, "arguments": arguments}
        self._writer.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        waiting = _Call(call, unit, time.monotonic())
        self._calls[self._last_id] = waiting
        return waiting

    async def _receive(self, line: bytes) -> None:
        message = json.loads(line)
        if "event" in message:
            self._put(parse_event(message))
            return
        waiting = self._calls.pop(message["id"])
        self._answered_at, before = time.monotonic(), self._answered_at
        self._took = self._answered_at - max(waiting.asked_at, before)  # they come one by one
        if waiting.answer.done():
            return  # its caller gave up
        if "reason" in message:
            waiting.refuse(message["reason"], message["message"])
        else:
            waiting.answer.set_result(message["result"])
        # The caller goes on before an event that came in the same breath is taken by anybody.
        await waiting.is_over.wait()

    def _post(self, call: str) -> None:
        """Send a request whose answer nobody waits for."""
        waiting = self._send(call, "", [])
        waiting.is_over.set()
        waiting.answer.add_done_callback(lambda answer: answer.exception())

    def _put(self, event: UnitEvent) -> None:
        if self._events.qsize() >= EVENTS_MAX:
            logger.warning("systemd: %d events that nobody took are dropped", EVENTS_MAX)
            while not self._events.empty():
                self._events.get_nowait()
            self._post("resync")
        if isinstance(event, Resynced):
            self._respawn.reset()
        self._events.put_nowait(event)

    # ---- the bridge ----

    async def _keep_bridge(self) -> None:
        while True:
            reason = "the bridge cannot be started"
            try:
                reason = await self._serve()
            except OSError as error:
                reason = f"{reason}: {error.strerror}"
            logger.warning("systemd: %s; starting it again", reason)
            self._events.put_nowait(Disconnected(reason))
            self._respawn.failed()
            await asyncio.sleep(max(0.0, self._respawn.due_at - time.monotonic()))

    async def _serve(self) -> str:
        """Run a bridge until it is gone, and return how it went."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _spawn(self._command, theirs)
            await self._listen(ours)
        finally:
            self._is_linked.clear()
            self._writer = None
            ours.close()
            self._fail_calls()
            status = None if self._process is None else await _end(self._process)
            self._process = None
        return f"the bridge is gone ({_how(status)})"

    async def _listen(self, channel: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_BYTES_MAX)
        self._writer = writer
        self._is_linked.set()
        try:
            async for line in reader:
                await self._receive(line)
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("systemd: the bridge broke off: %r", error)
        finally:
            writer.close()

    def _fail_calls(self) -> None:
        calls, self._calls = self._calls, {}
        for waiting in calls.values():
            if not waiting.answer.done():
                waiting.refuse("unavailable", "the bridge to systemd died")

    async def _keep_watch(self) -> None:
        """Ask the bridge for a sign of life now and then, and kill one that gives none."""
        while True:
            await asyncio.sleep(self._patience.ping_every)
            if self._is_linked.is_set() and not self._calls:
                self._post("ping")
            asked_at = min((call.asked_at for call in self._calls.values()), default=None)
            if asked_at is None:
                continue
            silent_since = max(asked_at, self._answered_at)
            if time.monotonic() - silent_since < self._patience.stuck_after:
                continue
            if self._process is not None:
                logger.warning("systemd: the bridge does not answer; killing it")
                self._process.kill()


@dataclass(slots=True)
class _Call:
    """A request that waits for its answer; `is_over` when its caller has it, or gave up."""

    call: str
    unit: str
    asked_at: float
    answer: asyncio.Future[Any] = field(default_factory=asyncio.Future)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    def refuse(self, reason: str, text: str) -> None:
        message = f"cannot {_what(self.call, self.unit)}: {text}"
        self.answer.set_exception(SystemdError(message, reason=reason))


def _what(call: str, unit: str) -> str:
    return f'{call.replace("_", " ")} "{unit}"' if unit else call.replace("_", " ")


def _how(status: int | None) -> str:
    if status is None:
        return "it does not die"
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _spawn(command: tuple[str, ...], channel: socket.socket) -> subprocess.Popen[bytes]:
    """Start the bridge with the channel as its stdin and stdout.

    It gets no NOTIFY_SOCKET: nothing that it does may speak for the manager.
    """
    private = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    environment = {name: value for name, value in os.environ.items() if name not in private}
    fd = channel.fileno()
    return subprocess.Popen(command, stdin=fd, stdout=fd, env=environment)


async def _end(process: subprocess.Popen[bytes]) -> int | None:
    """Kill the bridge and return its exit status, or None if it is still there after a second."""
    # One that has closed the channel is on its way out: its own status says why.
    status = await _reaped(process, tries=20)
    if status is None:
        process.kill()
        status = await _reaped(process, tries=100)
    return status


async def _reaped(process: subprocess.Popen[bytes], tries: int) -> int | None:
    for _ in range(tries):
        if process.poll() is not None:
            break
        await asyncio.sleep(0.01)
    return process.returncode
