"""Commands for several agents at once, with what happens shown while it takes long.

Each agent's call has a thread and a connection of its own, a few at a time. On a terminal
another thread watches the event log and tells phases as they change, once a second has gone by.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opmas.client.control import ManagerClient
from opmas.errors import OpmasError

if TYPE_CHECKING:
    from opmas.cli.session import Session

AT_ONCE: Final = 8  # calls under way; systemd starts the units in parallel anyway
QUIET: Final = 1.0  # seconds before progress is worth a line

Work = Callable[[ManagerClient, str], dict[str, Any]]


class Outcome(NamedTuple):
    """What came of one agent's call: its answer or its error."""

    name: str
    answer: dict[str, Any] | None
    error: OpmasError | None


def for_each(session: Session, names: Sequence[str], work: Work) -> list[Outcome]:
    """Return the outcome of the work for each name, in their order."""
    watcher = _Watcher(session, names) if session.shows_progress else None
    waiting: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
    for item in enumerate(names):
        waiting.put(item)
    done: queue.SimpleQueue[tuple[int, Outcome | BaseException]] = queue.SimpleQueue()

    def serve() -> None:
        with session.new_client() as manager:
            while True:
                try:
                    place, name = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put((place, _outcome(manager, name, work)))

    for _ in range(min(AT_ONCE, len(names))):
        # daemons: Ctrl-C ends the command at once; what the manager accepted goes on
        threading.Thread(target=serve, daemon=True).start()
    found = dict(done.get() for _ in names)
    if watcher:
        watcher.stop()
    return [_result(found[place]) for place in range(len(names))]


def _outcome(manager: ManagerClient, name: str, work: Work) -> Outcome | BaseException:
    try:
        return Outcome(name, work(manager, name), None)
    except OpmasError as error:
        return Outcome(name, None, error)
    except Exception as error:  # noqa: BLE001 - raised again in the main thread
        return error


def _result(found: Outcome | BaseException) -> Outcome:
    if isinstance(found, BaseException):
        raise found
    return found


class _Watcher:
    """Tells the phases of the agents on standard error as they change, until `stop`."""

    def __init__(self, session: Session, names: Sequence[str]) -> None:
        self._session = session
        self._names = frozenset(names)
        self._begin = time.monotonic()
        self._over = threading.Event()
        self._telling = threading.Lock()
        try:
            # before the work begins, so that no change is missed
            self._last = int(session.manager.call("event.list", limit=1)["last"])
        except OpmasError:
            return  # the work itself will say what is wrong
        threading.Thread(target=self._wait_quietly, daemon=True).start()

    def stop(self) -> None:
        """Tell nothing more."""
        with self._telling:
            self._over.set()

    def _wait_quietly(self) -> None:
        if self._over.wait(QUIET):
            return
        self._tell(f"waiting for {', '.join(sorted(self._names))}")
        try:
            with self._session.new_client() as manager:
                while not self._over.is_set():
                    self._tell_new(manager)
        except OpmasError:
            return

    def _tell_new(self, manager: ManagerClient) -> None:
        answer = manager.call("event.list", after=self._last, wait=1.0)
        self._last = int(answer["last"])
        for event in answer["events"]:
            name = str(event["subject"]).removeprefix("agent/")
            if event["type"] == "opmas.agent.phase" and name in self._names:
                told = event["data"]
                seconds = time.monotonic() - self._begin
                self._tell(f"{name}: {told.get('to')} ({told.get('reason')}), {seconds:.0f} s")

    def _tell(self, text: str) -> None:
        with self._telling:
            if not self._over.is_set():
                self._session.note(text)
