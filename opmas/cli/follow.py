"""Following a change until it has ended, and telling what it does meanwhile.

On a terminal one line is written over and over; elsewhere each step is a line on standard error.
A manager that goes away, because it is restarted or upgraded, is waited for.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import UsageError
from opmas.cli.story import current_task, has_ended, headline, progress_text
from opmas.cli.text import cut, visible
from opmas.errors import AccessDeniedError, ManagerError

if TYPE_CHECKING:
    from opmas.cli.session import Session
    from opmas.client.control import ManagerClient

Change = dict[str, Any]

LONG_POLL: Final = 30.0  # seconds
TICK: Final = 1.0  # seconds; the countdown on a terminal
AWAY: Final = 120.0  # seconds that a manager may be away; an upgrade of it takes a few
RETRY: Final = (0.1, 0.2, 0.5, 1.0)  # seconds between tries; the last goes on


def patience(session: Session) -> float | None:
    """Return for how many seconds to wait for a change; None: until it has ended."""
    given = session.args.timeout
    if given is not None and not given > 0:
        raise UsageError(f"cannot wait for {given:g} seconds: choose more than 0")
    return None if given is None else float(given)


def follow(session: Session, change: Change, seconds: float | None) -> Change:
    """Return the change when it has ended, or as it is when the time is over."""
    if has_ended(change):
        return change
    teller = _Teller(session)
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        with session.new_client() as manager:
            while not has_ended(change):
                teller.tell(change)
                left = LONG_POLL if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    break
                change = _news(session, manager, change, min(left, teller.rhythm))
    except KeyboardInterrupt:
        teller.clear()
        session.note(f"change {change['id']} goes on: `opmas change wait {change['id']}`")
        raise
    finally:
        teller.clear()
    return change


def _news(session: Session, manager: ManagerClient, change: Change, wait: float) -> Change:
    """Return the change as it goes on; a manager that is away is waited for."""
    tries, gone_at = 0, time.monotonic()
    while True:
        try:
            return manager.call("change.show", id=change["id"], seen=change["serial"], wait=wait)
        except (ManagerError, AccessDeniedError) as error:
            # denied: while the manager starts its socket is for a moment root's alone
            if time.monotonic() - gone_at > AWAY + wait:
                raise
            if tries == 0:
                session.note(f"{error.message}; waiting for it")
            time.sleep(RETRY[min(tries, len(RETRY) - 1)])
            tries += 1


class _Teller:
    """Tells on standard error what a change does: one line written over, or a line a step."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begin = time.monotonic()
        self._live = session.shows_progress and session.environ.get("TERM") != "dumb"
        self._told = ""
        self._dirty = False

    @property
    def rhythm(self) -> float:
        """How long to wait at most before telling again."""
        return TICK if self._live else LONG_POLL

    def tell(self, change: Change) -> None:
        """Tell what the change does now."""
        if self._session.as_json:
            return
        if self._live:
            seconds = time.monotonic() - self._begin
            text = f"change {change['id']}, {headline(change)}: {progress_text(change)}"
            line = cut(visible(f"{text}, {seconds:.0f} s"), self._session.columns - 1)
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
            self._dirty = True
            return
        step = _step(change)
        if step != self._told:
            self._told = step
            self._session.note(f"change {change['id']}: {step}")

    def clear(self) -> None:
        """Leave nothing of the line that is written over."""
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._dirty = False


def _step(change: Change) -> str:
    if change["waits_for"] and change["state"] == "planned":
        return f"waits for change {change['waits_for']}"
    if change["state"] == "watching":
        return f"watching for {change['window']:.0f} s"
    task = current_task(change)
    return f"{change['state']}, {task}" if task else str(change["state"])
