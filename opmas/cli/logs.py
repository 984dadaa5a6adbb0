"""`opmas agent logs`: journalctl for the agent's unit, which works with the manager away."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from opmas.cli.exits import Exit, UsageError
from opmas.cli.moments import parse_since
from opmas.cli.names import call_for_agent
from opmas.core.agent.terms import check_name, unit_name
from opmas.errors import BackendError, OpmasError, UnknownAgentError

if TYPE_CHECKING:
    from opmas.cli.session import Session

SOON: Final = 2.0  # seconds that a manager may take to say whether it knows the agent


def show_log(session: Session) -> Exit:
    """Become journalctl for the agent's unit."""
    argv = journal_command(session, datetime.now(UTC))
    _refuse_unknown(session, session.args.name)
    program = shutil.which(argv[0], path=session.environ.get("PATH"))
    if program is None:
        raise BackendError("cannot read the journal: journalctl is not installed")
    sys.stdout.flush()
    os.execv(program, argv)  # noqa: S606 - no shell, and the name is checked


def journal_command(session: Session, now: datetime) -> list[str]:
    """Return the journalctl command for the arguments."""
    args = session.args
    # checked here: journalctl takes unit patterns, and `*` would show every unit's log
    argv = ["journalctl", f"--unit={unit_name(check_name(args.name))}"]
    if args.lines is not None:
        if args.lines < 0:
            raise UsageError(f"cannot show {args.lines} lines: choose 0 or more")
        argv.append(f"--lines={args.lines}")
    if args.since:
        # the one spelling of an instant that journalctl of every release reads
        argv.append(f"--since=@{parse_since(args.since, now).timestamp():.0f}")
    if args.follow:
        argv.append("--follow")
    if session.as_json:
        argv.append("--output=json")
    return argv


def _refuse_unknown(session: Session, name: str) -> None:
    try:
        with session.new_client(SOON) as manager:
            call_for_agent(manager, "agent.show", name)
    except UnknownAgentError as error:
        hint = f"the log of an agent that was removed: `journalctl -u {unit_name(name)}`"
        raise UnknownAgentError(error.message, (*error.problems, hint)) from error
    except OpmasError:
        return  # the journal is readable without the manager
