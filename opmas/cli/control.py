"""`opmas agent start|stop|restart|remove`: say what is wanted and wait for the outcome."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.agents import PHASE_STYLES
from opmas.cli.exits import Exit, UsageError, exit_for
from opmas.cli.failure import render_error
from opmas.cli.names import call_for_agent
from opmas.cli.progress import Outcome, for_each
from opmas.cli.story import has_failed, render_all_planned
from opmas.cli.text import visible

if TYPE_CHECKING:
    from opmas.cli.session import Session, View
    from opmas.client.control import ManagerClient
    from opmas.errors import OpmasError

LONGEST: Final = 600.0  # seconds; the manager waits no longer for an agent
PATIENCE: Final = 60.0  # seconds; the longest start timeout of the agents that ship is 30

Good = Callable[[dict[str, Any]], bool]


def start_agents(session: Session) -> Exit:
    """Start the agents and wait until they run."""
    return _control(session, "agent.start", runs)


def stop_agents(session: Session) -> Exit:
    """Stop the agents and wait until they have ended."""
    return _control(session, "agent.stop", has_ended)


def restart_agents(session: Session) -> Exit:
    """Restart the agents and wait until they run."""
    return _control(session, "agent.restart", runs)


def remove_agents(session: Session) -> Exit:
    """Remove the agents, after a question on a terminal."""
    args = session.args
    expect = _expected(session)
    if args.dry_run:
        return _plan_removal(session, **expect)
    if not args.yes:
        _confirm(session, args.names, purge=args.purge)
    return _control(session, "agent.remove", lambda _: True, purge=args.purge, **expect)


def _expected(session: Session) -> dict[str, int]:
    args = session.args
    if args.expect is None:
        return {}
    if len(set(args.names)) > 1:
        raise UsageError("cannot expect one revision of several agents: name one agent")
    return {"expect": args.expect}


def _plan_removal(session: Session, **expect: int) -> Exit:
    names, purge = dict.fromkeys(session.args.names), session.args.purge
    answers = [
        call_for_agent(session.manager, "agent.remove", n, dry_run=True, purge=purge, **expect)
        for n in names
    ]
    changes = {"changes": [answer["change"] for answer in answers]}
    session.show("opmas.change-list/v1", changes, render_all_planned)
    return Exit.OK


def _confirm(session: Session, names: list[str], *, purge: bool) -> None:
    what = f"remove {', '.join(names)}{' and all that was stored' if purge else ''}"
    if not session.can_ask:
        raise UsageError(f"cannot {what}: nobody can be asked here; add --yes")
    if not session.ask(f"{what}?"):
        raise UsageError(f"cannot {what}: the answer was not yes; nothing was done")


def runs(agent: dict[str, Any]) -> bool:
    """Return whether the agent runs."""
    return agent["phase"] in {"running", "reloading"}


def has_ended(agent: dict[str, Any]) -> bool:
    """Return whether nothing of the agent runs or will run by itself."""
    return agent["phase"] in {"registered", "stopped", "failed", "quarantined"}


def wait_seconds(session: Session) -> float:
    """Return how long the manager may take to answer with the outcome."""
    if session.args.no_wait:
        return 0.0
    given = session.args.timeout
    if given is not None and not 0 < given <= LONGEST:
        raise UsageError(
            f"cannot wait for {given:g} seconds: choose more than 0, at most {LONGEST:g}"
        )
    return PATIENCE if given is None else float(given)


def _control(session: Session, method: str, good: Good, **params: Any) -> Exit:
    wait, author = wait_seconds(session), session.author
    names = list(dict.fromkeys(session.args.names))
    hint = {"wait": wait} if wait else {}

    def work(manager: ManagerClient, name: str) -> dict[str, Any]:
        return call_for_agent(manager, method, name, author=author, **hint, **params)

    outcomes = for_each(session, names, work)
    document = {"results": [_result(outcome, good, waited=bool(wait)) for outcome in outcomes]}
    session.show("opmas.agent-results/v1", document, render_results)
    if not session.as_json:
        _tell_failures(session, outcomes)
    return max(_exit(o, r) for o, r in zip(outcomes, document["results"], strict=True))


def _result(outcome: Outcome, good: Good, *, waited: bool) -> dict[str, Any]:
    error, answer = outcome.error, outcome.answer
    agent = answer if answer and "phase" in answer else None
    change = answer.get("change") if answer and agent is None else None
    undone = change is not None and has_failed(change)
    done = error is None and not undone and (agent is None or not waited or good(agent))
    return {
        "name": outcome.name,
        "ok": done,
        "removed": bool(answer and "removed" in answer and not undone),
        "agent": agent,
        "error": error
        and {"code": error.code, "message": error.message, "problems": list(error.problems)},
        "change": change and change["id"],
    }


def _exit(outcome: Outcome, result: dict[str, Any]) -> Exit:
    if outcome.error is not None:
        return exit_for(outcome.error)
    return Exit.OK if result["ok"] else Exit.FAILED


def _tell_failures(session: Session, outcomes: list[Outcome]) -> None:
    palette = session.palette(sys.stderr)
    errors: dict[str, OpmasError] = {o.error.message: o.error for o in outcomes if o.error}
    sys.stdout.flush()
    for error in errors.values():
        print(render_error(error, palette), file=sys.stderr)


def render_results(document: dict[str, Any], view: View) -> str:
    """Return a line for each agent that the manager answered about."""
    return "\n".join(_line(result, view) for result in document["results"] if not result["error"])


def _line(result: dict[str, Any], view: View) -> str:
    palette, agent = view.palette, result["agent"]
    name = palette.paint(f"{result['name']}:", "bold")
    if agent is None and result["ok"]:
        return f"{name} removed"
    if agent is None:
        return f"{name} not removed\n  `opmas change show {result['change']}` says why"
    phase = palette.paint(agent["phase"], PHASE_STYLES.get(agent["phase"], ""))
    line = f"{name} {phase}"
    if not result["ok"]:
        line += f": {visible(agent['message'])}"
        line += f"\n  `opmas agent explain {visible(result['name'])}` says why"
    return line
