"""What the manager takes from an agent: one line of JSON-RPC 2.0, read and held to the rules.

docs/reference/protocol.md has them; the real manager's are in opmas.manager, and the tests of the
product hold both to the same.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

LINE_LIMIT: Final = 64 * 1024
EVENT_LIMIT: Final = 8 * 1024
HEALTH_LIMIT: Final = 32 * 1024
EVENT_COST: Final = 5.0  # messages

_DEPTH: Final = 64
_CHECKS: Final = 50
_TEXT: Final = 500
_EVENT_TYPE: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+){0,7}")
_STATUSES: Final = ("healthy", "degraded", "unhealthy")
_UNKNOWN: Final = "unknown"
_STEPS: Final = 2**53
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_METHOD_NOT_FOUND: Final = -32601


class RefusedError(Exception):
    """The line is none that the manager takes; `answer` is the error to send, None for none."""

    def __init__(self, code: int, message: str, request: object = None) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] | None = None
        if request is not None:
            data = {"code": "invalid-request", "problems": []}
            error = {"code": code, "message": message, "data": data}
            self.answer = {"jsonrpc": "2.0", "id": request, "error": error}


def read_message(line: bytes) -> dict[str, Any]:
    """Return the message in the line, or raise `RefusedError`."""
    try:
        document = json.loads(line.decode(), parse_constant=_refuse_constant)
        _check_value(document, _DEPTH)
    except (ValueError, RecursionError) as error:
        raise RefusedError(_PARSE_ERROR, f"not a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError(_INVALID_REQUEST, "not a JSON object")
    given = document.get("id")
    request = given if isinstance(given, str | int) and not isinstance(given, bool) else None
    if "method" not in document and request is not None:
        return document
    method, params = document.get("method"), document.setdefault("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise RefusedError(_INVALID_REQUEST, "method must be text and params an object", request)
    if method != "hello" and method not in _RULES:
        raise RefusedError(_METHOD_NOT_FOUND, f"no method {method[:40]!r}", request)
    fault = _RULES[method](params) if method in _RULES else ""
    if fault:
        raise RefusedError(_INVALID_REQUEST, fault, request)
    return document


def _health_fault(params: dict[str, Any]) -> str:
    checks = params.get("checks", [])
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        return "health checks must be a list of objects"
    for status in [params.get("status"), *(c.get("status") for c in checks[:_CHECKS])]:
        if status not in (*_STATUSES, _UNKNOWN):
            return f"{str(status)[:_TEXT]!r} is no health status"
    report = {
        "status": params["status"],
        "message": _text(params.get("message", "")),
        "checks": [
            {key: _text(check.get(key, "")) for key in ("name", "status", "code", "message")}
            for check in checks[:_CHECKS]
        ],
    }
    return _size_fault(report, HEALTH_LIMIT, "health report") or _progress_fault(params)


def _progress_fault(params: dict[str, Any]) -> str:
    progress = params.get("progress")
    steps = progress.get("steps") if isinstance(progress, dict) else None
    well = isinstance(steps, int) and not isinstance(steps, bool) and 0 <= steps <= _STEPS
    return "" if progress is None or well else "health progress must be an object with steps"


def _metrics_fault(params: dict[str, Any]) -> str:
    metrics = params.get("metrics")
    if not isinstance(metrics, list):
        return "metrics must be a list"
    if not all(isinstance(m, dict) and isinstance(m.get("name"), str) for m in metrics):
        return "each metric must be an object with a name"
    return ""


def _event_fault(params: dict[str, Any]) -> str:
    kind, severity = params.get("type"), params.get("severity", "info")
    data = params.get("data", {})
    if not isinstance(kind, str) or not _EVENT_TYPE.fullmatch(kind):
        return f"event type {_text(kind)!r} is not dotted words"
    if severity not in ("info", "warning", "error") or not isinstance(data, dict):
        return "event severity or data is not of the protocol"
    told = {"severity": severity, "message": _text(params.get("message", "")), "data": data}
    return _size_fault(told, EVENT_LIMIT, "event")


_RULES: Final = {"health": _health_fault, "metrics": _metrics_fault, "event": _event_fault}


def _size_fault(document: dict[str, Any], limit: int, what: str) -> str:
    if len(json.dumps(document, separators=(",", ":"))) > limit:
        return f"the {what} is more than {limit} bytes of JSON"
    return ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_value(value: object, depth: int) -> None:
    """Refuse what Python's json takes, and other readers of JSON do not."""
    if depth == 0:
        raise ValueError(f"nested more than {_DEPTH} deep")
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair: UnicodeEncodeError, a ValueError
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is out of range")
    elif isinstance(value, dict | list):
        for item in [*value.values()] if isinstance(value, dict) else value:
            _check_value(item, depth - 1)


def _text(value: object) -> str:
    return str(value)[:_TEXT]
