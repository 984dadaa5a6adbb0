"""The manager's side of agent.sock: records what agents say, says what the test wants.

Wire format: newline-delimited JSON-RPC 2.0. One agent at a time is enough for the SDK's tests.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE = 10.0


class AgentSocket:
    """A small real server on a Unix socket, as a context."""

    def __init__(
        self,
        path: Path,
        *,
        agent: str = "web",
        version: int | None = 1,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.agent = agent
        self.version = version
        self.config = config or {}
        self.denies = False
        self.messages: list[dict[str, Any]] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._client: socket.socket | None = None
        self._server: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> AgentSocket:
        self.path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self.path))
        self._server.listen(16)
        self._spawn(self._accept, self._server)
        return self

    def __exit__(self, *_: object) -> None:
        """Go away as a killed manager does: the connection is cut, the socket file stays."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(DEADLINE)
        self._threads.clear()

    def cut(self) -> None:
        """Cut the connection."""
        with self._changed:
            client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):  # the agent may be gone already
                client.shutdown(socket.SHUT_RDWR)

    def wait_for(self, method: str, **expected: object) -> dict[str, Any]:
        """Return the params of a message of that method with these params; it may be there."""
        found: dict[str, Any] = self._await(
            lambda: self._found(method, expected), f"{method} {expected}"
        )
        return found

    def wait_for_next(self, method: str, *, after: int) -> dict[str, Any]:
        """Return the params of the message of that method that comes after so many of them."""

        def look() -> dict[str, Any] | None:
            found = [m for m in self.messages if m.get("method") == method]
            return found[after]["params"] if len(found) > after else None

        found: dict[str, Any] = self._await(look, f"{method} after {after}")
        return found

    def wait_for_connections(self, count: int) -> None:
        """Return when agents have connected so often."""
        self._await(lambda: self.connections >= count or None, f"{count} connections")

    def all(self, method: str) -> list[dict[str, Any]]:
        """Return the params of all messages of that method."""
        with self._changed:
            return [m.get("params", {}) for m in self.messages if m.get("method") == method]

    def offer_config(self, version: int, config: dict[str, Any]) -> dict[str, Any]:
        """Send a new configuration and return the answer's result."""
        request = f"config-{version}"
        self.version, self.config = version, config
        params = {"version": version, "config": config}
        self.send({"jsonrpc": "2.0", "id": request, "method": "config", "params": params})
        answer: dict[str, Any] = self._await(
            lambda: next((m for m in self.messages if m.get("id") == request), None),
            f"an answer to {request}",
        )
        return dict(answer["result"])

    def deliver(self, event: dict[str, Any]) -> None:
        """Send an event."""
        self.send({"jsonrpc": "2.0", "method": "event", "params": event})

    def send(self, message: dict[str, Any]) -> None:
        """Send any message to the agent."""
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, raw: bytes) -> None:
        """Send any bytes to the agent."""
        client: socket.socket = self._await(lambda: self._client, "an agent")
        client.sendall(raw)

    def _found(self, method: str, expected: dict[str, object]) -> dict[str, Any] | None:
        for message in self.messages:
            params = message.get("params", {})
            if message.get("method") == method and expected.items() <= params.items():
                return dict(params)
        return None

    def _await(self, look: Any, what: str) -> Any:
        until = time.monotonic() + DEADLINE
        with self._changed:
            while (found := look()) is None:
                if not self._changed.wait(until - time.monotonic()):
                    raise AssertionError(f"no {what} within {DEADLINE} s; got {self.messages}")
            return found

    def _spawn(self, target: Any, sock: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(sock,))
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with self._changed:
                self._client = client
                self.connections += 1
                self._changed.notify_all()
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            try:
                for line in lines:
                    self._take(json.loads(line), client)
            except OSError:
                return

    def _take(self, message: dict[str, Any], client: socket.socket) -> None:
        if message.get("method") == "hello":
            client.sendall(json.dumps(self._greeting(message["id"])).encode() + b"\n")
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def _greeting(self, request: object) -> dict[str, Any]:
        if self.denies:
            error = {"code": -32000, "message": "no agent", "data": {"code": "access-denied"}}
            return {"jsonrpc": "2.0", "id": request, "error": error}
        result = {"agent": self.agent, "version": self.version, "config": self.config}
        return {"jsonrpc": "2.0", "id": request, "result": result}
