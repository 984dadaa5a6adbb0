"""`opmas agent create|update`: the whole of an agent is put to the manager in one request.

What a package needs beyond the closed sandbox is shown with its explanation before it is
granted: by a question on a terminal, by --grant elsewhere.
"""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.agents import PHASE_STYLES
from opmas.cli.agreement import agreed_grants
from opmas.cli.control import runs, wait_seconds
from opmas.cli.edits import changed_config, changed_limits, recovery
from opmas.cli.exits import Exit, FailedError, UsageError
from opmas.cli.follow import patience
from opmas.cli.names import call_for_agent, call_for_package
from opmas.cli.plan import make_plan, render_plan
from opmas.cli.progress import for_each
from opmas.cli.story import has_ended, has_failed, headline, progress_text
from opmas.cli.text import visible
from opmas.cli.versions import NEWEST, finish, move_agent, version, window
from opmas.core.agent.terms import check_name

if TYPE_CHECKING:
    import argparse

    from opmas.cli.session import Session, View
    from opmas.client.control import ManagerClient

STEP: Final = 5.0  # seconds of one long-poll
BRIEF: Final = 5.0  # seconds; what is not waited for is begun by then
UNBEGUN: Final = {"planned", "applying"}
UNSETTLED: Final = {"registered", "starting", "stopping", "reloading"}


def create_agent(session: Session) -> Exit:
    """Create an agent, and wait until it runs."""
    args = session.args
    package_name = args.package or args.name
    if package_name is None:
        raise UsageError(
            "cannot create an agent: say from which package",
            ("`opmas package list` shows them; `opmas agent create PACKAGE` creates one",),
        )
    name = check_name(args.name or package_name)
    package = call_for_package(session.manager, "package.show", package_name)
    wanted = {
        "name": name,
        "package": package_name,
        "desired": "stopped" if args.stopped else "running",
        "config": changed_config({}, args),
        "limits": changed_limits({}, args.limits),
        **recovery({}, args.recovery),
        "after": args.after or [],
        "create_only": True,
        **version(session),
        **window(session),
    }
    if args.dry_run:
        return _show_plan(session, wanted, package, None)
    wanted["grants"] = agreed_grants(session, f'create agent "{name}"', package, ())
    agent = _put(session, wanted)
    session.show("opmas.agent/v1", agent, render_created)
    done = runs(agent) or args.stopped or args.no_wait
    return Exit.OK if _told_change(session, agent) and done else Exit.FAILED


def update_agent(session: Session) -> Exit:
    """Change what the options name, and leave the rest of the agent as it is."""
    args = session.args
    if not _names_settings(args):
        if args.version:
            return move_agent(session, "agent.update")
        raise UsageError(
            f'cannot update agent "{args.name}": nothing to change was named',
            ("see `opmas agent update --help`",),
        )
    before = call_for_agent(session.manager, "agent.show", args.name)
    package = call_for_package(session.manager, "package.show", args.package or before["package"])
    wanted = {
        "name": args.name,
        "package": package["name"],
        "desired": "stopped" if args.stopped else before["desired"],
        "config": changed_config(before["config"] or {}, args),
        "limits": changed_limits(before["own_limits"], args.limits),
        **recovery(before.get("own_recovery", {}), args.recovery),
        "after": args.after or before["after"],
        "expect": before["revision"] if args.expect is None else args.expect,
        **window(session),
    }
    if args.version:
        wanted["version"] = package["version"] if args.version == NEWEST else args.version
    if args.dry_run:
        return _show_plan(session, wanted, package, before)
    granted = tuple(before["grants"])
    wanted["grants"] = agreed_grants(session, f'update agent "{args.name}"', package, granted)
    if args.version:
        return _update_version(session, wanted)
    agent = _put(session, wanted)
    session.show("opmas.agent/v1", agent, render_updated)
    return Exit.OK if _told_change(session, agent) else Exit.FAILED


def _names_settings(args: argparse.Namespace) -> bool:
    given = (args.config_file, args.sets, args.unsets, args.limits, args.grants, args.after)
    return any((*given, args.recovery)) or bool(args.package or args.stopped or args.grant_all)


def _update_version(session: Session, wanted: dict[str, Any]) -> Exit:
    """Put version and settings in one change, and wait until it is decided."""
    seconds, manager = patience(session), session.manager
    agent = call_for_agent(manager, "agent.put", author=session.author, **wanted)
    if agent["change"] is None:
        session.show("opmas.agent/v1", agent, render_updated)
        return Exit.OK
    return finish(session, manager.call("change.show", id=agent["change"]), seconds)


def _show_plan(
    session: Session,
    wanted: dict[str, Any],
    package: dict[str, Any],
    before: dict[str, Any] | None,
) -> Exit:
    args = session.args
    granted = {*(before["grants"] if before else ()), *(args.grants or ())}
    if args.grant_all:
        granted |= {need["name"] for need in package["needs"]}
    plan = make_plan(wanted, package, granted, before)
    if not plan["missing"]:  # the manager plans nothing that is not granted
        wanted["grants"] = [need["name"] for need in package["needs"]]
        answer = call_for_agent(session.manager, "agent.put", dry_run=True, **wanted)
        plan["change"] = answer["plan"]
    session.show("opmas.agent-plan/v1", plan, render_plan)
    return Exit.OK


def _put(session: Session, wanted: dict[str, Any]) -> dict[str, Any]:
    wait, author = wait_seconds(session), session.author

    def work(manager: ManagerClient, name: str) -> dict[str, Any]:
        answer = call_for_agent(manager, "agent.put", author=author, **wanted)
        number = answer.get("change")
        deadline = time.monotonic() + (wait or BRIEF)
        if number is not None and (wait or "phase" not in answer):
            _await_begin(manager, number, deadline)
        if wait:
            answer = _settled(manager, name, deadline)
        elif "phase" not in answer:
            answer = manager.call("agent.show", name=name)
        return {**answer, "change": number}

    [outcome] = for_each(session, [wanted["name"]], work)
    if outcome.error:
        raise outcome.error
    return outcome.answer or {}


def _await_begin(manager: ManagerClient, number: int, deadline: float) -> None:
    """Return once the change did what it does, or raise why it never will."""
    change = manager.call("change.show", id=number)
    while change["state"] in UNBEGUN and (left := deadline - time.monotonic()) > 0:
        step = min(left, STEP)
        change = manager.call("change.show", id=number, seen=change["serial"], wait=step)
    if change["state"] in UNBEGUN:
        why = progress_text(change)
        raise FailedError(
            f"cannot tell yet what comes of change {number}: {why}",
            (f"it goes on: `opmas change wait {number}`",),
        )
    if change["state"] == "refused":
        more = f"`opmas change show {number}` shows more"
        raise FailedError(
            f"cannot {headline(change)}: {change['message']}", (*change["facts"], more)
        )


def _told_change(session: Session, agent: dict[str, Any]) -> bool:
    """Tell what else is to be known of the change; return whether it is still wanted."""
    if agent.get("change") is None:
        return True
    change = session.manager.call("change.show", id=agent["change"])
    number = change["id"]
    if has_failed(change):
        session.warn(
            f"change {number} is {change['state']}: {change['message']}; "
            f"`opmas change show {number}` shows more"
        )
        return False
    if not has_ended(change) and not session.as_json:
        session.note(
            f"change {number}: {progress_text(change)}; `opmas change wait {number}` "
            "says how it comes out"
        )
    return True


def _settled(manager: ManagerClient, name: str, deadline: float) -> dict[str, Any]:
    """Return the agent once its phase is no passing one, or as it is when the time is over."""
    last = manager.call("event.list", limit=1)["last"]
    agent = manager.call("agent.show", name=name)
    while _is_unsettled(agent) and (left := deadline - time.monotonic()) > 0:
        step = min(left, STEP)
        last = manager.call("event.list", after=last, agent=name, wait=step)["last"]
        agent = manager.call("agent.show", name=name)
    return agent


def _is_unsettled(agent: dict[str, Any]) -> bool:
    if agent["phase"] == "registered":
        return bool(agent["desired"] == "running")
    return agent["phase"] in UNSETTLED


def render_created(document: dict[str, Any], view: View) -> str:
    """Return what became of a new agent."""
    return _render_put(document, view, "created")


def render_updated(document: dict[str, Any], view: View) -> str:
    """Return what became of a changed agent."""
    return _render_put(document, view, "updated")


def _render_put(agent: dict[str, Any], view: View, verb: str) -> str:
    phase = view.palette.paint(agent["phase"], PHASE_STYLES.get(agent["phase"], ""))
    line = f"{view.palette.paint(agent['name'] + ':', 'bold')} {verb}, {phase}"
    if agent["desired"] == "running" and not runs(agent):
        line += f": {visible(agent['message'])}"
        line += f"\n  `opmas agent explain {visible(agent['name'])}` says why"
    if agent["needs_restart"]:
        line += f"\n  the change waits for `opmas agent restart {shlex.quote(agent['name'])}`"
    return line
