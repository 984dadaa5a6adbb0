"""REST on a lab host, by curl inside it: the API listens on the host's own loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.lab import Host

URL = "http://127.0.0.1:8420"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


class Rest:
    """A caller with a token."""

    def __init__(self, host: Host, token: str) -> None:
        self.host = host
        self.token = token

    def call(self, method: str, path: str, body: object = None, *headers: str) -> Answer:
        data = [] if body is None else ["--json", json.dumps(body)]
        more = [word for header in headers for word in ("-H", header)]
        done = self.host.run(
            "curl", "-s", "-w", "\n%{http_code}", "-X", method, *self._token(), *data, *more,
            URL + path,
        )  # fmt: skip
        text, _, status = done.stdout.rpartition("\n")
        return Answer(int(status), json.loads(text) if text else None)

    def stream(self, after: int) -> Popen[str]:
        """Open an event stream that goes on after the number."""
        return self.host.popen(
            "curl", "-sN", *self._token(), "-H", "Accept: text/event-stream",
            "-H", f"Last-Event-ID: {after}", f"{URL}/v1/events",
        )  # fmt: skip

    def _token(self) -> list[str]:
        return ["-H", f"Authorization: Bearer {self.token}"] if self.token else []
