"""Answers that several resources give: the manager's own words, and what became of a change."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Response, jsonify

from opmas.api import query
from opmas.api.documents import word
from opmas.core.change.change import FINAL
from opmas.core.documents import fields

if TYPE_CHECKING:
    from opmas.api.context import Api

CHANGE_HEADER: Final = "OPMAS-Change"
MOVING: Final = {"version": word, "window": fields.integer(0, 600)}  # the body of a new version
ACTING: Final = {"wait": query.seconds, "dry_run": query.flag}  # the query of what makes a change


def passed_on(api: Api, method: str, **params: Any) -> Response:
    """Return the manager's result as it came."""
    text = api.manager.fetch(method, **params) + b"\n"
    return Response(text, mimetype="application/json")


def waiting(api: Api, method: str, **params: Any) -> dict[str, Any]:
    """Return the manager's result; a request that waits needs a place for that."""
    if not params.get("wait"):
        return api.manager.call(method, **params)
    with api.places.one():
        return api.manager.call(method, **params)


def accepted(result: dict[str, Any], asked: dict[str, Any]) -> Response:
    """Return 202 with the place of the change, or of the changes; 200 when nothing goes on."""
    if asked.get("dry_run"):
        return planned(result)
    changes = result["changes"] if "changes" in result else [result["change"]]
    goes_on = [change for change in changes if change["state"] not in FINAL]
    answer = jsonify(result)
    if len(changes) == 1:
        answer.headers["Location"] = f"/v1/changes/{changes[0]['id']}"
    elif changes:
        answer.headers["Location"] = f"/v1/changes?package={changes[0]['package']}"
    has_waited = bool(asked.get("wait")) and not goes_on
    answer.status_code = (
        HTTPStatus.OK if has_waited or not changes else HTTPStatus.ACCEPTED
    ).value
    return answer


def planned(result: dict[str, Any]) -> Response:
    """Return what would be done: `plan`, or `plans` when there are several."""
    if "changes" in result:
        return jsonify({"plans": result["changes"]})
    return jsonify({"plan": result["plan"] if "plan" in result else result["change"]})


def name_change(answer: Response, change: dict[str, Any] | int | None) -> Response:
    """Add the number of the change to an answer that is about something else."""
    if change is not None:
        number = change["id"] if isinstance(change, dict) else change
        answer.headers[CHANGE_HEADER] = str(number)
    return answer
