"""Parts of a diagnosis, gathered side by side: one that fails or hangs costs only itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Content = str | dict[str, Any] | list[Any]
SETTLED: Final = 0.05  # seconds that a part may need to see that its time is over


class Piece(NamedTuple):
    """One file of the archive, not yet redacted: text, a document, or a document for each line."""

    path: str
    content: Content


class Part(NamedTuple):
    """A name, how many seconds it may take, and what gathers it."""

    name: str
    seconds: float
    gather: Callable[[Outcome], None]


@dataclass
class Outcome:
    """What came of a part: what it has added when its time is over counts."""

    name: str
    until: float  # monotonic
    board: Board
    pieces: list[Piece] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None  # None while it goes on
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    @property
    def left(self) -> float:
        """How many seconds the part has left."""
        return max(0.0, self.until - time.monotonic())

    def add(self, path: str, content: Content) -> None:
        """Add a file."""
        with self._lock:
            if not self._closed:
                self.pieces.append(Piece(path, content))

    def problem(self, text: str) -> None:
        """Say what could not be had."""
        with self._lock:
            if not self._closed:
                self.problems.append(text)

    def took(self, what: str, seconds: float) -> None:
        """Say how long something took."""
        with self._lock:
            if not self._closed:
                self.timings[what] = round(seconds, 4)

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._closed = True


class Board:
    """Where parts leave what other parts wait for."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._making: dict[str, threading.Lock] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what is made by the first part that asks for it."""
        with self._changed:
            lock = self._making.setdefault(name, threading.Lock())
        with lock:
            if self.get(name) is None:
                self.put(name, make())
            found: T = self.get(name)
            return found

    def put(self, name: str, value: object) -> None:
        """Leave a value for whoever waits."""
        with self._changed:
            self._found[name] = value
            self._changed.notify_all()

    def get(self, name: str, seconds: float = 0.0) -> Any:
        """Return the value, or None when it is not there in time."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._found, seconds)
            return self._found.get(name)


def gather_all(parts: list[Part], board: Board, begin: float) -> list[Outcome]:
    """Return what came of each part, at the latest when its seconds since `begin` are over."""
    outcomes = [Outcome(part.name, begin + part.seconds, board) for part in parts]
    threads = []
    for part, outcome in zip(parts, outcomes, strict=True):
        # a daemon: one that hangs in the kernel must not keep the command from ending
        thread = threading.Thread(target=_run, args=(part, outcome, begin), daemon=True)
        thread.start()
        threads.append(thread)
    for part, outcome, thread in zip(parts, outcomes, threads, strict=True):
        thread.join(max(0.0, begin + part.seconds + SETTLED - time.monotonic()))
        if thread.is_alive():
            outcome.problem(f"not finished within {part.seconds:g} s: what was there is kept")
        outcome.close()
    return outcomes


def _run(part: Part, outcome: Outcome, begin: float) -> None:
    try:
        part.gather(outcome)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part is said, not raised
        outcome.problem(f"cannot be had: {_reason(error)}")
    outcome.seconds = round(time.monotonic() - begin, 4)


def _reason(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error)
    return text or type(error).__name__
