"""The parameters of the methods about changes and packages: all faults are named at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change.change import ChangeState
from opmas.core.change.window import LONGEST
from opmas.core.documents import fields
from opmas.core.documents.fields import Fields, Problems
from opmas.manager.control.requests import ACTION_WAIT_LIMIT, AUTHOR, WAIT_LIMIT, read_agent_name
from opmas.store.rows import ChangeQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_LIMIT: Final = 500
LARGEST: Final = 2**53

version_text: Final = fields.matching(
    re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!~:_-]{0,99}"), "must be a version like 1.2.0"
)
upload_id: Final = fields.matching(re.compile(r"[0-9A-Za-z_-]{8,64}"), "must be an upload's ID")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every request for a change may say."""

    author: str
    dry_run: bool
    wait: float
    window: float | None = None
    expect: int | None = None


@dataclass(frozen=True, slots=True)
class Versioned:
    """A request about a version of an agent or a package; no version leaves the choice."""

    name: str
    version: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Install:
    """What is to be installed: by name, from a file of this host, or from an upload."""

    name: str
    version: str
    file: str
    upload: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Look:
    """Which change is looked at; with `seen` the answer waits for something newer."""

    id: int
    seen: int | None
    wait: float


def read_wanted(top: Fields, *, window: bool = False, expect: bool = False) -> Wanted:
    """Return what the request says of its change."""
    return Wanted(
        author=top.get("author", fields.line, AUTHOR),
        dry_run=top.get("dry_run", fields.flag, default=False),
        wait=top.get("wait", fields.number(0, ACTION_WAIT_LIMIT), 0.0),
        window=top.get("window", fields.number(0, LONGEST), None) if window else None,
        expect=top.get("expect", fields.integer(0, LARGEST), None) if expect else None,
    )


def read_versioned(
    params: Mapping[str, Any], *, window: bool = False, expect: bool = False
) -> Versioned:
    """Return the request, or raise `InvalidError` that names every fault."""
    problems = Problems()
    top = Fields(params, "", problems)
    request = Versioned(
        name=top.need("name", read_agent_name, ""),
        version=top.get("version", version_text, ""),
        wanted=read_wanted(top, window=window, expect=expect),
    )
    top.finish()
    problems.check("use this request")
    return request


def read_install(params: Mapping[str, Any]) -> Install:
    """Return the request, or raise `InvalidError` that names every fault."""
    problems = Problems()
    top = Fields(params, "", problems)
    request = Install(
        name=top.get("name", read_agent_name, ""),
        version=top.get("version", version_text, ""),
        file=top.get("file", fields.absolute_path, ""),
        upload=top.get("upload", upload_id, ""),
        wanted=read_wanted(top),
    )
    if bool(request.file) + bool(request.upload) > 1 or not (
        request.name or request.file or request.upload
    ):
        problems.add("", "say what to install: name, file or upload")
    top.finish()
    problems.check("install this")
    return request


def read_hold(params: Mapping[str, Any]) -> tuple[str, bool, str]:
    """Return the package, whether it is to be held, and who says so."""
    problems = Problems()
    top = Fields(params, "", problems)
    name = top.need("name", read_agent_name, "")
    hold = top.need("hold", fields.flag, otherwise=True)
    author = top.get("author", fields.line, AUTHOR)
    top.finish()
    problems.check("use this request")
    return name, hold, author


def read_look(params: Mapping[str, Any]) -> Look:
    """Return which change is asked for, and how long to wait for news of it."""
    problems = Problems()
    top = Fields(params, "", problems)
    look = Look(
        id=top.need("id", fields.integer(1, LARGEST), 1),
        seen=top.get("seen", fields.integer(0, LARGEST), None),
        wait=top.get("wait", fields.number(0, WAIT_LIMIT), 0.0),
    )
    top.finish()
    problems.check("use this request")
    return look


def read_undo(params: Mapping[str, Any]) -> tuple[int, Wanted]:
    """Return which change is to be undone."""
    problems = Problems()
    top = Fields(params, "", problems)
    id_ = top.need("id", fields.integer(1, LARGEST), 1)
    wanted = read_wanted(top)
    top.finish()
    problems.check("use this request")
    return id_, wanted


def read_list(params: Mapping[str, Any]) -> ChangeQuery:
    """Return which changes are asked for."""
    problems = Problems()
    top = Fields(params, "", problems)
    query = ChangeQuery(
        agent=top.get("agent", read_agent_name, None),
        package=top.get("package", read_agent_name, None),
        state=top.get("state", fields.one_of(ChangeState), None),
        active=top.get("active", fields.flag, None),
        before=top.get("before", fields.integer(1, LARGEST), None),
        limit=top.get("limit", fields.integer(1, PAGE_LIMIT), 50),
    )
    top.finish()
    problems.check("list changes")
    return query
