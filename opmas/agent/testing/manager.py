"""The manager's side of agent.sock: records what an agent says, says what the test wants.

It takes and refuses what the real one does; the same tests of the product run on both.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from opmas.agent.testing.protocol import EVENT_COST, LINE_LIMIT, RefusedError, read_message
from opmas.agent.testing.reactor import Reactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE: Final = 10.0
RATE: Final = 50.0  # messages a second that an agent may send for long
BURST: Final = 200.0
SEND_TIMEOUT: Final = 2.0  # an agent that does not read is hung up on
_CHUNK: Final = 64 * 1024


class ManagerSocket:
    """A small real server on a Unix socket, as a context; `agent` is who is at the other end."""

    def __init__(
        self,
        path: Path,
        reactor: Reactor | None = None,
        *,
        agent: str = "web",
        version: int | None = 1,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.agent = agent
        self.version = version
        self.config = config or {}
        self.denies = False  # answer hello with an error
        self.knows = True  # or hang up on whoever comes
        self.messages: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.connections = 0
        self.greeted = False  # the agent is connected, and said hello
        self.is_over: Callable[[], bool] = lambda: False  # nothing more can come
        self._requests = 0
        self._tokens, self._refilled_at = BURST, time.monotonic()
        self._client: socket.socket | None = None
        self._buffer = bytearray()
        self._server: socket.socket | None = None
        self._stack = ExitStack()
        self._own = reactor is None
        self._reactor = reactor or Reactor()

    def __enter__(self) -> Self:
        if self._own:
            self._reactor = self._stack.enter_context(Reactor())
        self.path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(self.path))
        server.listen(16)
        server.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        self._server = server
        self._reactor.hear(server, self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        """Go away as a killed manager does: the connection is cut, the socket file stays."""
        with self._reactor.lock:
            server, self._server = self._server, None
            if server is not None:
                self._reactor.forget(server)
                server.close()
            self.cut()
        self._stack.close()

    def cut(self) -> None:
        """Cut the connection."""
        with self._reactor.lock:
            client, self._client = self._client, None
            self.greeted = False
            self._buffer.clear()
            if client is not None:
                self._reactor.forget(client)
                client.close()

    def drain(self) -> None:
        """Take all that the agent has sent, at once: it has ended."""
        self._tokens = float("inf")
        self._accept()
        self._hear()
        self._tokens = BURST

    # waiting

    def wait_for(self, method: str, **expected: object) -> dict[str, Any]:
        """Return the params of a message of that method with these params; it may be there."""
        __tracebackhide__ = True
        found: dict[str, Any] = self._await(
            lambda: self._found(method, expected), f"{method} {expected}"
        )
        return found

    def wait_for_next(self, method: str, *, after: int) -> dict[str, Any]:
        """Return the params of the message of that method that comes after so many of them."""
        __tracebackhide__ = True

        def look() -> dict[str, Any] | None:
            found = self.all(method)
            return found[after] if len(found) > after else None

        found: dict[str, Any] = self._await(look, f"{method} after {after}")
        return found

    def wait_for_connections(self, count: int) -> None:
        """Return when agents have connected so often."""
        __tracebackhide__ = True
        self._await(lambda: self.connections >= count or None, f"{count} connections")

    def all(self, method: str) -> list[dict[str, Any]]:
        """Return the params of all messages of that method."""
        with self._reactor.lock:
            return [m.get("params", {}) for m in self.messages if m.get("method") == method]

    # talking

    def offer_config(
        self, version: int, config: dict[str, Any], within: float = DEADLINE
    ) -> dict[str, Any]:
        """Send a new configuration and return the answer's result."""
        __tracebackhide__ = True
        self._await(lambda: self._client, "an agent", within)
        self._requests += 1
        request = f"config-{self._requests}"
        self.version, self.config = version, config
        params = {"version": version, "config": config}
        self.send({"jsonrpc": "2.0", "id": request, "method": "config", "params": params})
        answer: dict[str, Any] = self._await(
            lambda: next((m for m in self.messages if m.get("id") == request), None),
            f"an answer to {request}",
            within,
        )
        refusal = {"applied": False, "error": str((answer.get("error") or {}).get("message"))}
        return dict(answer.get("result", refusal))

    def deliver(self, event: dict[str, Any]) -> None:
        """Send an event."""
        self.send({"jsonrpc": "2.0", "method": "event", "params": event})

    def send(self, message: dict[str, Any]) -> None:
        """Send any message to the agent."""
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, raw: bytes) -> None:
        """Send any bytes to the agent."""
        __tracebackhide__ = True
        client: socket.socket = self._await(lambda: self._client, "an agent")
        try:
            client.sendall(raw)
        except OSError:  # it is gone, or does not read
            self.cut()

    # hearing; all of this runs under the reactor's lock

    def _accept(self) -> None:
        while self._server is not None:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            if not self.knows:
                client.close()
                continue
            self.cut()  # a newer connection replaces the older
            client.settimeout(SEND_TIMEOUT)
            self._client = client
            self._reactor.hear(client, self._hear)

    def _hear(self) -> None:
        client = self._client
        while client is not None and client is self._client:
            try:
                # not recv(): with a timeout set, that waits until there is something
                chunk = os.read(client.fileno(), _CHUNK)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            self._buffer += chunk
            if not self._read():
                return
            if not chunk:
                self.cut()

    def _read(self) -> bool:
        """Take the lines that are there; False when the agent has sent more than its share."""
        while self._client is not None:
            self._refill()
            if self._tokens < 1:
                self._pause()
                return False
            end = self._buffer.find(b"\n")
            if (len(self._buffer) if end < 0 else end) > LINE_LIMIT:
                self.refused.append(f"a message is longer than {LINE_LIMIT} bytes")
                self.cut()
                return False
            if end < 0:
                return True
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._take(line)
        return False

    def _refill(self) -> None:
        now = time.monotonic()
        if self._tokens < BURST:
            self._tokens = min(BURST, self._tokens + (now - self._refilled_at) * RATE)
        self._refilled_at = now

    def _pause(self) -> None:
        client = self._client
        if client is None:
            return
        self._reactor.forget(client)

        def resume() -> None:
            if client is self._client:
                self._reactor.hear(client, self._hear)
                self._read()

        self._reactor.call_at(time.monotonic() + (1 - self._tokens) / RATE, resume)

    def _take(self, line: bytes) -> None:
        self._tokens -= 1
        try:
            message = read_message(line)
        except RefusedError as error:
            self.refused.append(str(error))
            if error.answer is not None:
                self._reply(error.answer)
            return
        method = message.get("method")
        if method == "event":
            self._tokens -= EVENT_COST - 1
        self.messages.append(message)
        self.greeted |= method == "hello"
        if "id" in message and method is not None:
            answer = self._greeting() if method == "hello" else {"result": {}}
            self._reply({"jsonrpc": "2.0", "id": message["id"], **answer})

    def _greeting(self) -> dict[str, Any]:
        if self.denies:
            data = {"code": "access-denied"}
            return {"error": {"code": -32000, "message": "no agent", "data": data}}
        return {"result": {"agent": self.agent, "version": self.version, "config": self.config}}

    def _reply(self, answer: dict[str, Any]) -> None:
        if self._client is None:
            return
        try:
            self._client.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
        except OSError:
            self.cut()

    # private

    def _found(self, method: str, expected: dict[str, object]) -> dict[str, Any] | None:
        for params in self.all(method):
            if expected.items() <= params.items():
                return dict(params)
        return None

    def _await(self, look: Callable[[], Any], what: str, within: float = DEADLINE) -> Any:
        __tracebackhide__ = True
        until = time.monotonic() + within
        found = self._reactor.wait(look, lambda: until, self.is_over)
        if found is None:
            why = "the agent has ended" if self.is_over() else f"within {within} s"
            raise AssertionError(f"no {what}: {why}; got {self.messages}")
        return found
