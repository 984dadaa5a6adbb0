"""`/v1/agents`: the agents of this host, what is wanted of them and how they do.

The entity tag is the revision of what the operator wrote, not of what is observed: it guards
writes (`If-Match`), and a GET is never answered with 304.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import jsonify, request

from opmas.api import query
from opmas.api.access import author
from opmas.api.answers import ACTING, MOVING, accepted, name_change, passed_on, planned, waiting
from opmas.api.documents import mapping, read_members, read_query, word
from opmas.api.problems import problem
from opmas.core.agent.terms import Desired, Phase
from opmas.core.change.change import Kind
from opmas.core.documents import fields
from opmas.errors import (
    RequestError,
    RevisionError,
    UnknownAgentError,
    UnknownPackageError,
    UnknownVersionError,
)

if TYPE_CHECKING:
    from flask import Response

    from opmas.api.context import Api

SETTLED: Final = frozenset(
    {Phase.RUNNING, Phase.STOPPED, Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED}
)
MEMBERS: Final = {
    "package": word,
    "config": mapping,
    "limits": mapping,
    "recovery": mapping,
    "grants": fields.each(word),
    "desired": fields.one_of(Desired),
    "after": fields.each(word),
    **MOVING,
}
REVISION: Final = re.compile(r'"([0-9]{1,15})"')


def index(api: Api) -> Response:
    """Answer GET of all."""
    read_query({})
    return passed_on(api, "agent.list")


def show(api: Api, name: str) -> Response:
    """Answer GET of one."""
    read_query({})
    return _agent(api.manager.call("agent.show", name=name))


def explain(api: Api, name: str) -> Response:
    """Answer GET of why the agent is in its state."""
    read_query({})
    return passed_on(api, "agent.explain", name=name)


def put(api: Api, name: str) -> Response:
    """Answer PUT: create the agent, or replace what is wanted of it."""
    asked = read_query(ACTING)
    asked |= read_members(MEMBERS, needed=frozenset({"package"})) | _conditions(api, name)
    try:
        agent = waiting(api, "agent.put", name=name, author=author(), **asked)
    except (UnknownPackageError, UnknownVersionError) as error:
        return problem(error, HTTPStatus.UNPROCESSABLE_ENTITY)  # the resource itself is known
    if asked.get("dry_run"):
        return planned(agent)
    if "revision" not in agent:
        return _waiting(agent)
    is_new = _is_created(api, agent)
    answer = _agent(agent, HTTPStatus.CREATED if is_new else HTTPStatus.OK)
    if is_new:
        answer.headers["Location"] = f"/v1/agents/{name}"
    return name_change(answer, agent["change"])


def delete(api: Api, name: str) -> Response:
    """Answer DELETE."""
    asked = read_query({**ACTING, "purge": query.flag})
    read_members({})
    asked |= _expectation()
    result = waiting(api, "agent.remove", name=name, author=author(), **asked)
    if asked.get("dry_run"):
        return planned(result)
    return name_change(jsonify(result), result.get("change"))


def update(api: Api, name: str) -> Response:
    """Answer POST of update: to a newer version."""
    return _move(api, "agent.update", name)


def rollback(api: Api, name: str) -> Response:
    """Answer POST of rollback: to a version that was before."""
    return _move(api, "agent.rollback", name)


def start(api: Api, name: str) -> Response:
    """Answer POST of start."""
    return _operate(api, "agent.start", name)


def stop(api: Api, name: str) -> Response:
    """Answer POST of stop."""
    return _operate(api, "agent.stop", name)


def restart(api: Api, name: str) -> Response:
    """Answer POST of restart."""
    return _operate(api, "agent.restart", name)


def _operate(api: Api, method: str, name: str) -> Response:
    asked = read_query({"wait": query.seconds})
    read_members({})
    _check_revision(api, name)
    agent = waiting(api, method, name=name, author=author(), **asked)
    is_done = bool(asked.get("wait")) and agent["phase"] in SETTLED
    return _agent(agent, HTTPStatus.OK if is_done else HTTPStatus.ACCEPTED)


def _move(api: Api, method: str, name: str) -> Response:
    asked = read_query(ACTING)
    asked |= read_members(MOVING) | _expectation()
    return accepted(waiting(api, method, name=name, author=author(), **asked), asked)


def _waiting(agent: dict[str, Any]) -> Response:
    """Return that an agent is to be created, by a change that waits for another one."""
    answer = jsonify(agent)
    answer.status_code = HTTPStatus.ACCEPTED.value
    answer.headers["Location"] = f"/v1/changes/{agent['change']}"
    return name_change(answer, agent["change"])


def _is_created(api: Api, agent: dict[str, Any]) -> bool:
    """Tell whether a PUT created the agent; one at its first revision may be about to change."""
    if agent["revision"] != 1 or agent["change"] is None:
        return False
    change = api.manager.call("change.show", id=agent["change"])
    return bool(change["kind"] == Kind.CREATE)


def _agent(agent: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    answer = jsonify(agent)
    answer.status_code = status.value
    answer.headers["ETag"] = f'"{agent["revision"]}"'
    return answer


def _conditions(api: Api, name: str) -> dict[str, Any]:
    """Return what `If-Match` and `If-None-Match` demand of a PUT."""
    none_match = request.headers.get("If-None-Match")
    if none_match not in {None, "*"}:
        raise RequestError("cannot read If-None-Match: it is `*` here: create, replace nothing")
    if none_match and "If-Match" in request.headers:
        raise RequestError("cannot meet If-Match and If-None-Match at once: send one of them")
    if none_match:
        return {"create_only": True}
    expected = _expected()
    if expected == "*":
        try:
            return {"expect": api.manager.call("agent.show", name=name)["revision"]}
        except UnknownAgentError as error:
            raise RevisionError(f'cannot change agent "{name}": there is none') from error
    return {} if expected is None else {"expect": int(expected)}


def _expectation() -> dict[str, Any]:
    """Return what `If-Match` demands of what exists; `*` is that it does."""
    expected = _expected()
    return {} if expected in {None, "*"} else {"expect": int(str(expected))}


def _check_revision(api: Api, name: str) -> None:
    """Refuse what `If-Match` forbids; the manager checks it itself only when it makes a change."""
    expected = _expected()
    if expected in {None, "*"}:
        return
    revision = api.manager.call("agent.show", name=name)["revision"]
    if str(revision) != expected:
        raise RevisionError(
            f'cannot change agent "{name}": it is at revision {revision}, not {expected}'
        )


def _expected() -> str | None:
    written = request.headers.get("If-Match")
    if written in {None, "*"}:
        return written
    found = REVISION.fullmatch(str(written))
    if found is None:
        raise RequestError('cannot read If-Match: it is a revision such as `"3"`, or `*`')
    return str(int(found[1]))
