"""A manager without systemd: the real wire format on a Unix socket, over a `FakeHost`.

    with FakeManager(tmp_path / "manager.sock") as manager:
        manager.host.emit("opmas.agent.health", "agent/web")

or, as a process of its own: `python3 -m tests.fakes.manager /tmp/manager.sock`. `stop()` cuts
every connection, as a kill of the manager does; `start()` begins again with the same host.
`deaf = True` makes it read requests and answer none.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, Self

from opmas.errors import InvalidError, OpmasError
from tests.fakes.host import FakeHost, answer

LINE_LIMIT = 1024 * 1024


class FakeManager:
    """Serves a `FakeHost` on the socket `path`, one thread a connection."""

    def __init__(self, path: Path | str, host: FakeHost | None = None) -> None:
        self.path = Path(path)
        self.host = host or FakeHost()
        self.deaf = False
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen; the socket file is there when this returns."""
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(128)
        self._spawn(self._accept, self._listener)
        return self

    def stop(self) -> None:
        """Cut every connection and end every thread; the socket file is gone."""
        if self._listener is None:
            return
        self.path.unlink(missing_ok=True)
        listener, self._listener = self._listener, None
        _cut(listener)
        for connection in self._connections:
            _cut(connection)
        with self.host.changed:
            self.host.changed.notify_all()
        for thread in self._threads:
            thread.join(0.2)  # one in a long-poll ends with its wait; all are daemons
        self._connections.clear()
        self._threads.clear()

    def _spawn(self, target: Any, connection: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(connection,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                while line := lines.readline(LINE_LIMIT):
                    reply = self._reply(line)
                    if not self.deaf:
                        connection.sendall(json.dumps(reply).encode() + b"\n")
            except OSError:
                return

    def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            return _failure(None, -32700, "cannot read the request: it is not JSON")
        identity, method = request.get("id"), request.get("method")
        params = request.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict):
            return _failure(identity, -32600, "cannot read the request: method or params missing")
        self.calls.append((method, params))
        try:
            return {"jsonrpc": "2.0", "id": identity, "result": answer(self.host, method, params)}
        except LookupError:
            return _failure(identity, -32601, f"cannot call {method}: there is no such method")
        except OpmasError as error:
            number = -32602 if isinstance(error, InvalidError) else -32000
            return _failure(identity, number, error.message, error)


def _failure(
    identity: Any, number: int, message: str, error: OpmasError | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"code": number, "message": message}
    code = error.code if error else "invalid-request"
    body["data"] = {"code": code, "problems": list(error.problems) if error else []}
    return {"jsonrpc": "2.0", "id": identity, "error": body}


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side went first
        pass
    finally:
        connection.close()


def main(path: str) -> None:
    """Serve a new host at `path` until SIGTERM or SIGINT."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with FakeManager(path):
        print(f"fake manager listens on {path}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(sys.argv[1])
