"""`opmas change list|show|undo|wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import Exit, UsageError
from opmas.cli.follow import follow, patience
from opmas.cli.story import (
    has_ended,
    render_accepted,
    render_change,
    render_changes,
    render_outcome,
    render_planned,
    succeeded,
)

if TYPE_CHECKING:
    from opmas.cli.session import Session

NEWEST: Final = 50
PAGE: Final = 500  # the most that can be asked for


def list_changes(session: Session) -> Exit:
    """Show the changes that fit the filters, the newest first."""
    args = session.args
    count = NEWEST if args.lines is None else args.lines
    if not 0 < count <= PAGE:
        raise UsageError(f"cannot show {count} changes: choose 1 to {PAGE}")
    filters: dict[str, Any] = {
        "agent": args.agent,
        "package": args.package,
        "state": args.state,
        "active": args.active or None,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    found = session.manager.call("change.list", limit=count, **given)
    session.show("opmas.change-list/v1", found, render_changes)
    return Exit.OK


def show_change(session: Session) -> Exit:
    """Show everything about one change."""
    change = session.manager.call("change.show", id=session.args.id)
    session.show("opmas.change/v1", change, render_change)
    return Exit.OK


def wait_for_change(session: Session) -> Exit:
    """Wait until the change has ended; the code says how it came out."""
    change = session.manager.call("change.show", id=session.args.id)
    return end(session, change, patience(session))


def undo_change(session: Session) -> Exit:
    """Take the change back, and wait until that is done."""
    args, seconds = session.args, patience(session)
    if args.dry_run:
        answer = session.manager.call("change.undo", id=args.id, dry_run=True)
        session.show("opmas.change/v1", answer["change"], render_planned)
        return Exit.OK
    change = session.manager.call("change.undo", id=args.id, author=session.author)["change"]
    if args.no_wait:
        session.show("opmas.change/v1", change, render_accepted)
        return Exit.OK
    change = follow(session, change, seconds)
    session.show("opmas.change/v1", change, render_outcome)
    # one that was under way is itself reverted: that is what was asked for
    wanted = "reverted" if change["id"] == args.id else "committed"
    return _code(session, change, good=change["state"] == wanted)


def end(session: Session, change: dict[str, Any], seconds: float | None) -> Exit:
    """Follow the change, show how it came out, and return the exit code that says it."""
    change = follow(session, change, seconds)
    session.show("opmas.change/v1", change, render_outcome)
    return _code(session, change, good=succeeded(change))


def _code(session: Session, change: dict[str, Any], *, good: bool) -> Exit:
    if not has_ended(change):
        tell_unfinished(session, change)
    return Exit.OK if good else Exit.FAILED


def tell_unfinished(session: Session, change: dict[str, Any]) -> None:
    """Say that the change goes on although the time is over."""
    if not session.as_json:
        number = change["id"]
        session.note(f"the time is over, change {number} goes on: `opmas change wait {number}`")
