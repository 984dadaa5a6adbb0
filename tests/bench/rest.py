"""The REST API as its clients use it: a token, requests, a stream of events."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

ADDRESS: Final = ("127.0.0.1", 8420)
TIMEOUT: Final = 60.0


class Heard(NamedTuple):
    """An event, and when its last byte was there, on the clock of `time.monotonic`."""

    at: float
    event: dict[str, Any]


def make_token() -> str:
    """Return a new token."""
    command = ["opmas", "token", "create", "--name", f"bench-{time.time_ns()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Client:
    """One connection that is kept open, as a dashboard has it."""

    def __init__(self, token: str) -> None:
        self._connection = http.client.HTTPConnection(*ADDRESS, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> bytes:
        """Return the body of the answer, which must be 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ConnectionError(f"GET {path}: {answer.status}: {body[:200]!r}")
        return body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class EventStream:
    """A client of server-sent events, with a thread that notes when each event came."""

    def __init__(self, token: str) -> None:
        self._socket = socket.create_connection(ADDRESS, timeout=TIMEOUT)
        # HTTP/1.0: the body is the stream itself, without chunks
        head = ("GET /v1/events HTTP/1.0", f"Authorization: Bearer {token}")
        lines = (*head, "Accept: text/event-stream", "", "")
        self._socket.sendall("\r\n".join(lines).encode())
        self._heard: queue.Queue[Heard] = queue.Queue()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        if not self._open.wait(TIMEOUT):
            raise ConnectionError("the event stream did not open")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def wait(self, kind: str, agent: str, **data: Any) -> Heard:
        """Return the next event of the type and the agent that has these data."""
        while True:
            heard = self._heard.get(timeout=TIMEOUT)
            event = heard.event
            if (event["type"], event["subject"]) != (kind, f"agent/{agent}"):
                continue
            if data.items() <= event["data"].items():
                return heard

    def _listen(self) -> None:
        pending = b""
        while received := self._socket.recv(65536):
            at = time.monotonic()
            *frames, pending = (pending + received).split(b"\n\n")
            for frame in frames:
                self._take(frame, at)

    def _take(self, frame: bytes, at: float) -> None:
        self._open.set()  # the first frame is the position
        for line in frame.splitlines():
            if line.startswith(b"data: "):
                self._heard.put(Heard(at, json.loads(line.removeprefix(b"data: "))))
