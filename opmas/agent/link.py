"""The conversation with the manager, without a socket: bytes in, messages out, and back.

Newline-delimited JSON-RPC 2.0; one line holds at most 64 KiB, its newline included.

    offline --opened()--> greeting --hello answered--> online --lost()--> offline

Rule 1: nothing but `hello` is sent before its answer.
Rule 2: of health and metrics only the newest is kept; events wait in a queue, oldest out first,
        and one leaves it only when its last byte was handed over.
Rule 3: no I/O and no clock. `unsent` gives the bytes to write, `sent` says how many were.
"""

from __future__ import annotations

import json
import re
from collections import deque

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from typing import Any

MAX_LINE = 64 * 1024
MAX_HEALTH = 32 * 1024
MAX_EVENT = 8 * 1024  # the manager keeps 100,000
QUEUE_EVENTS = 1000
QUEUE_BYTES = 1024 * 1024  # an agent's whole memory limit may be 32 MiB
MAX_PACE = 60.0  # seconds; the protocol asks for a report at least so often
SEVERITIES = ("info", "warning", "error")
EVENT_TYPE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+){0,7}")

_HALF = re.compile("[\ud800-\udfff]")
_METHOD_NOT_FOUND = -32601
_INVALID_PARAMS = -32602


class ProtocolError(Exception):
    """The manager sent what no manager sends; the connection is of no more use."""


class Welcome:
    """The manager knows this agent and says what its configuration is."""

    __slots__ = ("agent", "config", "version")

    def __init__(self, agent: str, version: int | None, config: dict[str, Any]) -> None:
        self.agent = agent
        self.version = version
        self.config = config


class Denied:
    """The manager does not know this agent."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Offer:
    """A new configuration; `request` is the id to answer, None when nobody waits for one."""

    __slots__ = ("config", "request", "version")

    def __init__(
        self, version: int | None, config: dict[str, Any], request: int | str | None = None
    ) -> None:
        self.version = version
        self.config = config
        self.request = request


class Delivery:
    """An event that this agent's package subscribes to."""

    __slots__ = ("event",)

    def __init__(self, event: dict[str, Any]) -> None:
        self.event = event


class Pace:
    """How often this agent may report: the manager has many to listen to."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


Message = Welcome | Denied | Offer | Delivery | Pace


class Link:
    """One agent's side of the conversation."""

    def __init__(self, sdk: str) -> None:
        self._sdk = sdk
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._sends_event = False  # what is in _outgoing is the oldest event
        self._urgent: deque[bytes] = deque()  # hello and answers
        self._health: bytes | None = None
        self._metrics: bytes | None = None
        self._events: deque[bytes] = deque()
        self._events_bytes = 0
        self.online = False
        self.events_dropped = 0

    # the connection

    def opened(self, config_version: int | None) -> None:
        """Start the conversation: the socket is connected."""
        self.lost()
        params = {"sdk": self._sdk, "config_version": config_version}
        self._urgent.append(_request("hello", params))

    def lost(self) -> None:
        """Forget what belonged to the connection; events stay."""
        self.online = self._sends_event = False
        self._incoming.clear()
        self._outgoing.clear()
        self._urgent.clear()
        self._health = self._metrics = None

    def unsent(self) -> bytes:
        """Return the bytes to write next; empty when there is nothing to say."""
        if not self._outgoing:
            self._outgoing += self._next_line()
        return bytes(self._outgoing)

    def sent(self, count: int) -> None:
        """Note that so many bytes were written."""
        del self._outgoing[:count]
        if not self._outgoing and self._sends_event:
            self._sends_event = False
            self._events_bytes -= len(self._events.popleft())

    def received(self, chunk: bytes) -> list[Message]:
        """Return the messages that the bytes complete, or raise `ProtocolError`."""
        self._incoming += chunk
        *lines, rest = self._incoming.split(b"\n")
        if len(rest) >= MAX_LINE:
            raise ProtocolError(f"cannot read a message of more than {MAX_LINE} bytes")
        self._incoming = bytearray(rest)
        messages = [self._understood(bytes(line)) for line in lines if line.strip()]
        return [message for message in messages if message is not None]

    # what the agent says

    def answer(self, request: int | str, result: dict[str, Any]) -> None:
        """Answer a request of the manager."""
        self._urgent.append(_line({"jsonrpc": "2.0", "id": request, "result": result}))

    def health(self, health: dict[str, Any]) -> None:
        """Say how the agent is; without its checks when they find no room in one line."""
        if self.online:
            line = _notification("health", health)
            fits = len(line) <= MAX_HEALTH
            self._health = line if fits else _notification("health", health | {"checks": []})

    def metrics(self, metrics: list[dict[str, Any]]) -> int:
        """Send the whole set; return how many at its end found no room in one line."""
        if not self.online:
            return 0
        line = _notification("metrics", {"metrics": metrics})
        kept = len(metrics)
        while len(line) > MAX_LINE:
            kept = max(0, kept * MAX_LINE // len(line) - 1)
            line = _notification("metrics", {"metrics": metrics[:kept]})
        self._metrics = line
        return len(metrics) - kept

    def event(self, event_type: str, severity: str, message: str, details: dict[str, Any]) -> None:
        """Queue an event, or raise ValueError when it is none that can be sent."""
        if not EVENT_TYPE.fullmatch(event_type):
            raise ValueError(
                f"cannot emit event {event_type!r}: use lower-case words joined by dots,"
                ' like "threshold.crossed"'
            )
        if severity not in SEVERITIES:
            raise ValueError(
                f"cannot emit event {event_type!r}: severity {severity!r} is none of"
                f" {', '.join(SEVERITIES)}"
            )
        params = {"type": event_type, "severity": severity, "message": message, "data": details}
        try:
            line = _notification("event", params)
        except (TypeError, ValueError) as error:
            raise ValueError(f"cannot emit event {event_type!r}: {error}") from error
        if len(line) > MAX_EVENT:
            raise ValueError(
                f"cannot emit event {event_type!r}: it has {len(line)} bytes, the limit is"
                f" {MAX_EVENT}; put bulk into a file or the journal and send where it is"
            )
        self._enqueue(line)

    # private

    def _enqueue(self, line: bytes) -> None:
        self._events.append(line)
        self._events_bytes += len(line)
        while len(self._events) > QUEUE_EVENTS or self._events_bytes > QUEUE_BYTES:
            oldest = 1 if self._sends_event else 0  # the first is half on its way
            self._events_bytes -= len(self._events[oldest])
            del self._events[oldest]
            self.events_dropped += 1

    def _next_line(self) -> bytes:
        if self._urgent:
            return self._urgent.popleft()
        if not self.online:
            return b""
        line, self._health = self._health or b"", None
        if not self._events:  # both at once, so that the manager is woken once
            line, self._metrics = line + (self._metrics or b""), None
        elif not line:
            self._sends_event = True
            return self._events[0]
        return line

    def _understood(self, line: bytes) -> Message | None:
        try:
            message = json.loads(line)
        except ValueError as error:
            raise ProtocolError(f"cannot read a message: {error}") from error
        if not isinstance(message, dict):
            raise ProtocolError("cannot read a message: it is no JSON object")
        if "method" not in message:
            return self._greeted(message)
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if message["method"] == "event":
            return Delivery(params)
        if message["method"] == "pace":
            return _pace(params.get("seconds"))
        if message["method"] == "config":
            return self._offered(message.get("id"), params)
        self._refuse(message.get("id"), _METHOD_NOT_FOUND, "unknown method")
        return None

    def _greeted(self, message: dict[str, Any]) -> Message | None:
        if self.online:
            return None  # hello is the only request: an answer to nothing says nothing
        error, result = message.get("error"), message.get("result")
        if isinstance(error, dict):
            return Denied(str(error.get("message", "")))
        if not isinstance(result, dict) or not isinstance(result.get("config", {}), dict):
            raise ProtocolError("cannot read the answer to hello: it has no result")
        self.online = True
        return Welcome(str(result.get("agent", "")), result.get("version"), result["config"])

    def _offered(self, request: int | str | None, params: dict[str, Any]) -> Offer | None:
        config = params.get("config")
        if isinstance(config, dict):
            return Offer(params.get("version"), config, request)
        self._refuse(request, _INVALID_PARAMS, "config: must be an object")
        return None

    def _refuse(self, request: int | str | None, code: int, why: str) -> None:
        if request is not None:
            error = {"code": code, "message": why}
            self._urgent.append(_line({"jsonrpc": "2.0", "id": request, "error": error}))


def _pace(seconds: object) -> Pace | None:
    if isinstance(seconds, int | float) and seconds >= 0:
        return Pace(min(float(seconds), MAX_PACE))
    return None


def _request(method: str, params: dict[str, Any]) -> bytes:
    return _line({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def _notification(method: str, params: dict[str, Any]) -> bytes:
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def _line(message: dict[str, Any]) -> bytes:
    line = json.dumps(message, separators=(",", ":"), allow_nan=False)
    if (
        "\\ud" in line
    ):  # maybe half of a pair, as in a file name that is no UTF-8: no text to others
        text = json.dumps(message, ensure_ascii=False)
        text = _HALF.sub(lambda half: f"\\\\u{ord(half[0]):x}", text)
        line = json.dumps(json.loads(text), separators=(",", ":"))
    return line.encode() + b"\n"
