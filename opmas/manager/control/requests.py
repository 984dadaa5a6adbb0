"""The parameters of the control socket's methods, read and checked: all faults at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import AgentSpec, Desired, check_name
from opmas.core.change.window import LONGEST
from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems
from opmas.core.recovery.policy import read_recovery
from opmas.core.resources.limits import read_limits
from opmas.errors import InvalidError
from opmas.manager.clock import rfc3339
from opmas.store.rows import Query

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_LIMIT: Final = 60.0
ACTION_WAIT_LIMIT: Final = 600.0  # an agent's own start timeout may be minutes
PAGE_LIMIT: Final = 1000
AUTHOR: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Put:
    """What `agent.put` asks for."""

    spec: AgentSpec
    create_only: bool
    expect: int | None
    author: str
    wait: float
    window: float | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What is asked of one agent."""

    name: str
    wait: float
    author: str
    purge: bool = False
    expect: int | None = None
    dry_run: bool = False


def read_put(params: Mapping[str, Any]) -> Put:
    """Return the request, or raise `InvalidError` that names every fault."""
    problems = Problems()
    top = Fields(params, "", problems)
    spec = AgentSpec(
        name=top.need("name", read_agent_name, ""),
        package=top.need("package", read_agent_name, ""),
        version=top.get("version", fields.line, ""),
        desired=top.get("desired", fields.one_of(Desired), Desired.RUNNING),
        config=top.get("config", _config, {}),
        limits=read_limits(top.section("limits")),
        grants=top.get("grants", fields.each(fields.line), ()),
        after=top.get("after", fields.each(read_agent_name), ()),
        recovery=read_recovery(top.section("recovery")),
    )
    put = Put(
        spec=spec,
        create_only=top.get("create_only", fields.flag, False),
        expect=top.get("expect", fields.integer(0, 2**53), None),
        author=top.get("author", fields.line, AUTHOR),
        wait=top.get("wait", fields.number(0, ACTION_WAIT_LIMIT), 0.0),
        window=top.get("window", fields.number(0, LONGEST), None),
        dry_run=top.get("dry_run", fields.flag, default=False),
    )
    if spec.name and spec.name in spec.after:
        problems.add("after", "must not name the agent itself")
    top.finish()
    problems.check("use this agent")
    return put


def read_action(params: Mapping[str, Any], *, removal: bool = False) -> Action:
    """Return the request; what only a `removal` may say is refused otherwise."""
    problems = Problems()
    top = Fields(params, "", problems)
    action = Action(
        name=top.need("name", read_agent_name, ""),
        wait=top.get("wait", fields.number(0, ACTION_WAIT_LIMIT), 0.0),
        author=top.get("author", fields.line, AUTHOR),
        purge=top.get("purge", fields.flag, default=False) if removal else False,
        expect=top.get("expect", fields.integer(0, 2**53), None) if removal else None,
        dry_run=top.get("dry_run", fields.flag, default=False) if removal else False,
    )
    top.finish()
    problems.check("use this request")
    return action


def read_name(params: Mapping[str, Any], what: str) -> str:
    """Return the one parameter `name`."""
    problems = Problems()
    top = Fields(params, "", problems)
    name = top.need("name", fields.text, "")
    top.finish()
    problems.check("use this request")
    return check_name(name, what)


def read_query(params: Mapping[str, Any]) -> tuple[Query, float]:
    """Return which events are asked for, and how long to wait for the first."""
    problems = Problems()
    top = Fields(params, "", problems)
    agent = top.get("agent", read_agent_name, None)
    query = Query(
        after=top.get("after", fields.integer(0, 2**53), None),
        since=top.get("since", read_instant, None),
        subject=None if agent is None else f"agent/{agent}",
        type=top.get("type", fields.line, None),
        limit=top.get("limit", fields.integer(1, PAGE_LIMIT), 100),
    )
    wait = top.get("wait", fields.number(0, WAIT_LIMIT), 0.0)
    top.finish()
    problems.check("list events")
    return query, wait


def no_parameters(params: Mapping[str, Any]) -> None:
    """Refuse parameters of a method that has none."""
    problems = Problems()
    Fields(params, "", problems).finish()
    problems.check("use this request")


def read_agent_name(value: object) -> str:
    """Read the name of an agent or a package."""
    try:
        return check_name(value, "name")
    except InvalidError as error:
        raise FieldError(("", error.message)) from error


def _config(value: object) -> dict[str, Any]:
    document = fields.json_value(value)
    if not isinstance(document, dict):
        raise FieldError(("", f"must be a mapping of keys to values, not {fields.shown(value)}"))
    return document


def read_instant(value: object) -> str:
    """Read a time with its zone as the manager writes it."""
    try:
        instant = datetime.fromisoformat(fields.text(value))
    except ValueError as error:
        raise FieldError(("", 'must be an instant such as "2026-01-31T12:00:00Z"')) from error
    if instant.tzinfo is None or not math.isfinite(instant.timestamp()):
        raise FieldError(("", "must say its time zone, such as Z for UTC"))
    return rfc3339(instant.astimezone(UTC))
