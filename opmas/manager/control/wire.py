"""JSON-RPC 2.0, one document a line: requests read, answers written. No sockets here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from opmas.errors import OpmasError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000

NESTING_LIMIT: Final = 64  # a configuration may be 32 deep


class WireError(Exception):
    """A line is no request of ours; `code` as in the JSON-RPC standard."""

    def __init__(self, code: int, message: str, request_id: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """A call; a notification when `id` is None."""

    method: str
    params: dict[str, Any]
    id: str | int | None


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request of ours."""

    id: str | int
    result: dict[str, Any] | None
    error: str = ""


def parse(line: bytes) -> Request | Response:
    """Return what the line says, or raise `WireError`."""
    try:
        # not of the bytes: json would take UTF-16 and halves of surrogate pairs for text
        document = DECODER.decode(line.decode())
        if _may_be_odd(line):
            _check(document, NESTING_LIMIT)
    except (ValueError, RecursionError) as error:
        raise WireError(PARSE_ERROR, f"not a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise WireError(INVALID_REQUEST, "not a JSON object")
    given = document.get("id")
    request_id = given if isinstance(given, str | int) and not isinstance(given, bool) else None
    if "method" not in document and request_id is not None:
        return _response(document, request_id)
    method, params = document.get("method"), document.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise WireError(INVALID_REQUEST, "method must be text and params an object", request_id)
    return Request(method, params, request_id)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


# A thousand agents send a hundred lines a second, and to make a decoder is as much as to use it.
DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _may_be_odd(line: bytes) -> bool:
    """Return whether it could hold what `_check` refuses: a walk of all of it is dear."""
    return b"\\u" in line or line.count(b"{") + line.count(b"[") >= NESTING_LIMIT


def _check(value: object, depth: int) -> None:
    """Refuse what Python's json lets through, and a disk or another's JSON parser does not."""
    if depth == 0:
        raise ValueError(f"nested more than {NESTING_LIMIT} deep")
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is no text: UnicodeEncodeError, a ValueError
    elif isinstance(value, dict | list):
        for item in value:
            _check(item, depth - 1)
    if isinstance(value, dict):
        for item in value.values():
            _check(item, depth - 1)


def _response(document: dict[str, Any], request_id: str | int) -> Response:
    error = document.get("error")
    if error is not None:
        message = error.get("message") if isinstance(error, dict) else error
        return Response(request_id, None, str(message))
    result = document.get("result")
    return Response(request_id, result if isinstance(result, dict) else {})


def render_result(request_id: object, result: dict[str, Any]) -> bytes:
    """Return the line that answers a request."""
    return _render({"jsonrpc": "2.0", "id": request_id, "result": result})


def render_error(request_id: object, error: Exception) -> bytes:
    """Return the line that refuses a request; what we did not raise on purpose stays secret."""
    body: dict[str, Any]
    if isinstance(error, OpmasError):
        data = {"code": error.code, "problems": list(error.problems)}
        body = {"code": SERVER_ERROR, "message": error.message, "data": data}
    elif isinstance(error, WireError):
        data = {"code": "invalid-request", "problems": []}
        body = {"code": error.code, "message": str(error), "data": data}
    else:
        data = {"code": "internal-error", "problems": []}
        message = "internal error: see `journalctl -u opmas-manager`"
        body = {"code": INTERNAL_ERROR, "message": message, "data": data}
    return _render({"jsonrpc": "2.0", "id": request_id, "error": body})


def render_call(method: str, params: dict[str, Any], request_id: int | None = None) -> bytes:
    """Return the line of a request, or of a notification."""
    call: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if request_id is not None:
        call["id"] = request_id
    return _render(call)


def _render(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
