"""Holds answers of the API to its contract: status, type, headers, body, each event of a stream.

What the contract does not know fails: a status, a member, a code, a header that means something.
The test clients of the API ask it about every answer, so no test needs to.
"""

from __future__ import annotations

import http.client
import io
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from opmas.api.openapi import contract

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping

STREAM: Final = "text/event-stream"
PROBLEM: Final = "application/problem+json"
# What else is in an answer is HTTP's, or the same in all answers.
TELLING: Final = {
    "allow", "etag", "location", "opmas-change", "retry-after", "www-authenticate",
    "x-accel-buffering",
}  # fmt: skip
# Of a request that is none of the contract's: no token, no such path, no such method.
ELSEWHERE: Final = {401: "Unauthenticated", 404: "NotFound", 503: "Unavailable"}


class PromiseError(AssertionError):
    """An answer is not as the contract says."""


class Promises:
    """The contract, with its documents closed: a member that it does not name is none."""

    def __init__(self) -> None:
        document: dict[str, Any] = closed(contract())
        self._components = document["components"]
        self._paths = {pattern(path): item for path, item in document["paths"].items()}

    def hold(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes | None
    ) -> Callable[[str, str], None]:
        """Raise when the answer is not promised; return what checks the events of a stream.

        A body of None is a stream's.
        """
        where = f"{method} {path} -> {status}"
        answer = self._promised(method, path, status, where)
        check_headers(answer, headers, self._resolved, where)
        if body is None or method == "HEAD":
            return self._events(answer, where)
        self._check_body(answer, headers.get("Content-Type", ""), body, where)
        if status >= 400:
            self._check_problem(answer, path, status, json.loads(body), where)
        return self._events(answer, where)

    def hold_problem(self, status: int, body: bytes) -> None:
        """Raise when what is answered to no valid request is no problem document."""
        problem = json.loads(body)
        self._validate({"$ref": "#/components/schemas/Problem"}, problem, str(status))
        assert problem["status"] == status

    def hold_text(self, method: str, path: str, text: bytes) -> None:
        """Raise when the answer, as it came over a socket, is not promised."""
        head, _, body = text.partition(b"\r\n\r\n")
        first, _, fields = head.partition(b"\r\n")
        headers = dict(http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n")))
        self.hold(method, path, int(first.split()[1]), headers, body)

    def _promised(self, method: str, path: str, status: int, where: str) -> dict[str, Any]:
        item = next((item for path_, item in self._paths.items() if path_.fullmatch(path)), None)
        operation = (item or {}).get({"HEAD": "get"}.get(method, method.lower()))
        if operation is not None:
            answers = operation["responses"]
        elif item is not None and method == "OPTIONS" and status == 200:
            return {"headers": {"Allow": {"required": True, "schema": {}}}}
        elif item is not None and status == 405:
            allow = {"Allow": {"required": True, "schema": {}}}
            content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            return {"headers": allow, "content": content, "x-codes": ["method-not-allowed"]}
        else:
            answers = {
                str(number): {"$ref": f"#/components/responses/{name}"}
                for number, name in ELSEWHERE.items()
            }
        if str(status) not in answers:
            raise PromiseError(f"{where}: the contract knows no such status")
        return self._resolved(answers[str(status)])

    def _check_body(self, answer: dict[str, Any], kind: str, body: bytes, where: str) -> None:
        content = answer.get("content", {})
        mimetype = kind.partition(";")[0]
        if not body and not content:
            return
        if mimetype not in content:
            raise PromiseError(f"{where}: the contract knows no {mimetype or 'body'} here")
        self._validate(content[mimetype]["schema"], json.loads(body), where)

    @staticmethod
    def _check_problem(
        answer: dict[str, Any], path: str, status: int, problem: dict[str, Any], where: str
    ) -> None:
        if problem["status"] != status or problem["instance"] != path:
            raise PromiseError(f"{where}: the problem is of another answer: {problem}")
        if problem["code"] not in answer["x-codes"]:
            raise PromiseError(f"{where}: the contract knows no {problem['code']} here")

    def _events(self, answer: dict[str, Any], where: str) -> Callable[[str, str], None]:
        known = answer.get("content", {}).get(STREAM, {}).get("x-events", {})

        def check(name: str, data: str) -> None:
            schema = known.get(name) or known.get("*")
            if schema is None:
                raise PromiseError(f"{where}: the contract knows no event {name}")
            self._validate(schema, json.loads(data), f"{where}, event {name}")

        return check

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        section, name = value["$ref"].removeprefix("#/components/").split("/")
        found: dict[str, Any] = self._components[section][name]
        return found

    def _validate(self, schema: dict[str, Any], value: object, where: str) -> None:
        whole = {**schema, "components": self._components}
        error = best_match(Draft202012Validator(whole).iter_errors(value))
        if error is not None:
            raise PromiseError(f"{where}: {error.json_path}: {error.message}")


def check_headers(
    answer: dict[str, Any],
    headers: Mapping[str, str],
    resolved: Callable[[dict[str, Any]], dict[str, Any]],
    where: str,
) -> None:
    """Raise when a header is missing, unknown or of another form."""
    promised = {
        name.lower(): resolved(header) for name, header in answer.get("headers", {}).items()
    }
    given = {name.lower(): value for name, value in headers.items()}
    missing = [n for n, header in promised.items() if header.get("required") and n not in given]
    unknown = (given.keys() & TELLING) - promised.keys()
    if missing or unknown:
        raise PromiseError(f"{where}: headers that are missing: {missing}, unknown: {unknown}")
    for name in promised.keys() & given.keys():
        schema = promised[name]["schema"]
        value = int(given[name]) if schema.get("type") == "integer" else given[name]
        if not Draft202012Validator(schema).is_valid(value):
            raise PromiseError(f"{where}: the contract has another {name}, not {value}")


def pattern(path: str) -> re.Pattern[str]:
    """Return what matches the path with any values for its variables."""
    parts = re.split(r"({\w+})", path)
    return re.compile("".join("[^/]+" if part[:1] == "{" else re.escape(part) for part in parts))


def closed(value: Any) -> Any:
    """Return the schemas in the value with no room for members that they do not name."""
    if isinstance(value, list):
        return [closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: closed(item) for key, item in value.items()}
    if value.get("type") == "object" and "properties" in value:
        found.setdefault("additionalProperties", False)
    return found


@cache
def promises() -> Promises:
    """Return the contract, read once."""
    return Promises()


class Frames:
    """Takes the pieces of an event stream and hands on each event that has data."""

    def __init__(self, check: Callable[[str, str], None]) -> None:
        self._check = check
        self._pending = ""

    def take(self, piece: bytes) -> None:
        """Take the next piece."""
        *frames, self._pending = (self._pending + piece.decode()).split("\n\n")
        for frame in frames:
            fields = dict(line.partition(": ")[::2] for line in frame.splitlines())
            if "data" in fields:
                self._check(fields.get("event", "message"), fields["data"])


class HeldStream:
    """The body of a streamed answer, whose events are checked as they are read."""

    def __init__(self, pieces: Iterable[bytes], frames: Frames) -> None:
        self._whole = pieces
        self._pieces = iter(pieces)
        self._frames = frames

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self._frames.take(piece)
        return piece

    def close(self) -> None:
        """End the answer."""
        close = getattr(self._whole, "close", None)
        if close is not None:
            close()


class HeldClient(FlaskClient):
    """A test client whose every answer is held to the contract."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().open(*args, **kwargs)
        is_stream = answer.mimetype == STREAM
        body = None if is_stream else answer.get_data()
        method, path = answer.request.method, answer.request.path
        check = promises().hold(method, path, answer.status_code, answer.headers, body)
        if is_stream:
            pieces = cast("Iterable[bytes]", answer.response)
            answer.response = HeldStream(pieces, Frames(check))
        return answer


class HeldAnswer:
    """An answer over a socket: read whole and held to the contract, but for a stream's events."""

    def __init__(self, answer: http.client.HTTPResponse, method: str, target: str) -> None:
        self.status = answer.status
        self._answer = answer
        is_stream = answer.headers.get_content_type() == STREAM
        self._body = None if is_stream else io.BytesIO(answer.read())
        body = self._body.getvalue() if self._body else None
        path, headers = target.partition("?")[0], dict(answer.headers)
        check = promises().hold(method, path, answer.status, headers, body)
        self._frames = Frames(check)

    def read(self) -> bytes:
        """Return the rest of the body."""
        if self._body is not None:
            return self._body.read()
        text = self._answer.read()
        self._frames.take(text)
        return text

    def readline(self) -> bytes:
        """Return the next line of a stream; nothing at its end."""
        line = self._answer.readline()
        self._frames.take(line)
        return line


class HeldConnection:
    """A connection to the API whose every answer is held to the contract."""

    def __init__(self, port: int, timeout: float = 10) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._asked = ("", "")

    @property
    def sock(self) -> socket.socket:
        """The socket below."""
        return self._connection.sock

    def request(self, method: str, target: str, **more: Any) -> None:
        """Send a request."""
        self._asked = (method, target)
        self._connection.request(method, target, **more)

    def getresponse(self) -> HeldAnswer:
        """Return the answer."""
        return HeldAnswer(self._connection.getresponse(), *self._asked)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
