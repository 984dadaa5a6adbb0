"""Versions of packages: installing and removing them, and moving agents from one to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.changes import end, tell_unfinished
from opmas.cli.exits import Exit, UsageError
from opmas.cli.follow import follow, patience
from opmas.cli.names import call_for_agent, call_for_package
from opmas.cli.packages import render_package, trust_of
from opmas.cli.story import (
    has_ended,
    render_accepted,
    render_all_accepted,
    render_all_planned,
    render_outcomes,
    render_planned,
    subject,
    succeeded,
)
from opmas.errors import InvalidError, OpmasError

if TYPE_CHECKING:
    from opmas.cli.session import Session, View

LONGEST_WINDOW: Final = 600  # seconds
NEWEST: Final = "newest"  # the word for a version


def window(session: Session) -> dict[str, int]:
    """Return the window that was asked for, as a parameter."""
    given = session.args.window
    if given is None:
        return {}
    if not 0 <= given <= LONGEST_WINDOW:
        raise UsageError(f"cannot watch for {given} seconds: choose 0 to {LONGEST_WINDOW}")
    return {"window": given}


def version(session: Session) -> dict[str, str]:
    """Return the version that was asked for, as a parameter."""
    given = session.args.version
    return {"version": given} if given and given != NEWEST else {}


def install_package(session: Session) -> Exit:
    """Install a version of a package from a file, a bundle directory or apt."""
    return _one(session, "package.install", source(session.args.what))


def source(text: str) -> dict[str, str]:
    """Return what is to be installed as parameters: a file, or a name and perhaps a version."""
    if "/" in text or text.endswith((".opmas", ".deb")):
        path = Path(text).absolute()
        if not path.is_file():
            raise InvalidError(f"cannot install {text}: there is no such file")
        return {"file": str(path)}
    name, equals, wanted = text.partition("=")
    if not name or (equals and not wanted):
        raise UsageError(f'cannot read "{text}": write NAME, NAME=VERSION or the path of a file')
    return {"name": name, **({"version": wanted} if wanted else {})}


def remove_package(session: Session) -> Exit:
    """Remove a package or one version of it."""
    return _one(session, "package.remove", _named(session))


def update_package(session: Session) -> Exit:
    """Move all agents of the package to another version."""
    return _several(session, "package.update")


def roll_back_package(session: Session) -> Exit:
    """Move all agents of the package to an earlier version."""
    return _several(session, "package.rollback")


def roll_back_agent(session: Session) -> Exit:
    """Have the agent run an earlier version."""
    return move_agent(session, "agent.rollback")


def move_agent(session: Session, method: str) -> Exit:
    """Have the agent run another version, and wait until that is decided."""
    args, seconds = session.args, patience(session)
    expect = {} if args.expect is None else {"expect": args.expect}
    params = {**version(session), **window(session), **expect}
    if args.dry_run:
        answer = call_for_agent(session.manager, method, args.name, dry_run=True, **params)
        return show_plan(session, answer["change"])
    answer = call_for_agent(session.manager, method, args.name, author=session.author, **params)
    return finish(session, answer["change"], seconds)


def finish(session: Session, change: dict[str, Any], seconds: float | None) -> Exit:
    """Wait for the change unless --no-wait was given, and return what came of it."""
    if session.args.no_wait:
        session.show("opmas.change/v1", change, render_accepted)
        return Exit.OK
    return end(session, change, seconds)


def show_plan(session: Session, change: dict[str, Any]) -> Exit:
    """Show what the change would do, with what is known of the version that it leads to."""
    _add_known_bad(session, change)
    session.show("opmas.change/v1", change, render_planned)
    return Exit.OK


def hold_package(session: Session) -> Exit:
    """Keep the package at its version."""
    return _hold(session, hold=True)


def unhold_package(session: Session) -> Exit:
    """Let the package be updated again."""
    return _hold(session, hold=False)


def _hold(session: Session, *, hold: bool) -> Exit:
    name, author = session.args.name, session.author
    found = call_for_package(session.manager, "package.hold", name, hold=hold, author=author)
    session.show("opmas.package/v1", found["package"], _render_hold)
    return Exit.OK


def _render_hold(document: dict[str, Any], view: View) -> str:
    return render_package(document, view).split("\n", 1)[0]


def _named(session: Session) -> dict[str, str]:
    return {"name": session.args.name, **version(session)}


def _one(session: Session, method: str, params: dict[str, str]) -> Exit:
    args, seconds = session.args, patience(session)
    if args.dry_run:
        return show_plan(session, _ask(session, method, params, dry_run=True)["change"])
    change = _ask(session, method, params, author=session.author)["change"]
    code = finish(session, change, seconds)
    if method == "package.install" and code is Exit.OK and not args.no_wait:
        _warn_of_unsigned(session, change)
    return code


def _several(session: Session, method: str) -> Exit:
    args, seconds = session.args, patience(session)
    params = {**_named(session), **window(session)}
    if args.dry_run:
        changes = _ask(session, method, params, dry_run=True)["changes"]
        for change in changes:
            _add_known_bad(session, change)
        session.show("opmas.change-list/v1", {"changes": changes}, render_all_planned)
        return Exit.OK
    changes = _ask(session, method, params, author=session.author)["changes"]
    if args.no_wait:
        session.show("opmas.change-list/v1", {"changes": changes}, render_all_accepted)
        return Exit.OK
    ended = [follow(session, change, seconds) for change in changes]
    session.show("opmas.change-list/v1", {"changes": ended}, render_outcomes)
    for change in ended:
        if not has_ended(change):
            tell_unfinished(session, change)
    return Exit.OK if all(map(succeeded, ended)) else Exit.FAILED


def _ask(session: Session, method: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    if "name" not in params:  # a file says itself which package it is
        return session.manager.call(method, **params, **more)
    rest = {key: value for key, value in params.items() if key != "name"}
    return call_for_package(session.manager, method, params["name"], **rest, **more)


def _add_known_bad(session: Session, change: dict[str, Any]) -> None:
    wanted = (change["after"] or {}).get("version")
    for found in _versions(session, change["package"]):
        if found["version"] == wanted and found["bad_until"]:
            change["facts"].append(
                f"version {wanted} was undone before; known as bad until {found['bad_until']}"
            )


def _warn_of_unsigned(session: Session, change: dict[str, Any]) -> None:
    wanted = (change["after"] or {}).get("version")
    for found in _versions(session, change["package"] or subject(change)):
        if found["version"] == wanted and trust_of(found) == "unsigned":
            session.warn(f"{subject(change)} {wanted} is unsigned: nobody vouches for it")


def _versions(session: Session, package: str) -> list[dict[str, Any]]:
    if not package:
        return []
    try:
        found = session.manager.call("package.show", name=package)["versions"]
    except OpmasError:  # a note beside the answer is not worth an error
        return []
    return list(found)
