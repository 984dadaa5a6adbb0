"""What agents say over their socket, read: believed only as far as it is of the protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import Health
from opmas.core.health.report import Check, Report
from opmas.manager.control import wire
from opmas.manager.control.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LIMIT: Final = 500
CHECKS_LIMIT: Final = 50
DEPTH: Final = 4  # of checks within checks
STEPS_LIMIT: Final = 2**53
STATUSES: Final = {str(health): health for health in Health}


def parse_health(params: dict[str, Any]) -> Report:
    """Return the report in a health message, or raise `WireError`."""
    checks = tuple(_checks(params.get("checks", []), "", DEPTH))
    status, message = _health(params.get("status")), text(params.get("message", ""))
    return Report(status, message, checks[:CHECKS_LIMIT])


def parse_progress(params: dict[str, Any]) -> tuple[int, float | None] | None:
    """Return the steps done and the age of the last in a health message, or raise `WireError`.

    None: it says nothing of it, as agents with an older SDK.
    """
    progress = params.get("progress")
    if progress is None:
        return None
    steps = progress.get("steps") if isinstance(progress, dict) else None
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps <= STEPS_LIMIT:
        raise WireError(wire.INVALID_REQUEST, "health progress must be an object with steps")
    age = progress.get("age")
    known = isinstance(age, int | float) and not isinstance(age, bool) and age >= 0
    return steps, float(age) if known else None


def parse_metrics(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics in a message, or raise `WireError`."""
    metrics = params.get("metrics")
    if not isinstance(metrics, list):
        raise WireError(wire.INVALID_REQUEST, "metrics must be a list")
    for metric in metrics:
        if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
            raise WireError(wire.INVALID_REQUEST, "each metric must be an object with a name")
    return metrics


def check_size(document: dict[str, Any], limit: int, what: str) -> None:
    """Raise `WireError` when the document is larger than `limit` bytes of JSON."""
    if len(json.dumps(document, separators=(",", ":"))) > limit:
        raise WireError(wire.INVALID_REQUEST, f"the {what} is more than {limit} bytes of JSON")


def text(value: object) -> str:
    """Return the value as a text of bounded size."""
    return str(value)[:TEXT_LIMIT]


def _checks(given: object, above: str, depth: int) -> Iterator[Check]:
    """Yield the checks and those within them, each named by its way down."""
    if not isinstance(given, list) or not all(isinstance(c, dict) for c in given):
        raise WireError(wire.INVALID_REQUEST, "health checks must be a list of objects")
    for check in given[:CHECKS_LIMIT]:
        name = text(above + text(check.get("name", "")))
        status = _health(check.get("status"))
        yield Check(name, status, text(check.get("code", "")), text(check.get("message", "")))
        if depth > 1 and "checks" in check:
            yield from _checks(check["checks"], f"{name}/", depth - 1)


def _health(value: object) -> Health:
    known = STATUSES.get(value) if isinstance(value, str) else None
    if known is not None:
        return known
    raise WireError(wire.INVALID_REQUEST, f"{text(value)!r} is no health status")
