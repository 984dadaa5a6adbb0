"""A stop of the unit: the job ends where it is, or when what must not be cut short is over."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from opmas.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class _Stop:
    asked = False
    held = 0


_stop = _Stop()


def listen_for_stop() -> None:
    """Take SIGTERM as the wish that the job ends: `BackendError` is raised wherever it is."""
    signal.signal(signal.SIGTERM, _handle)


@contextlib.contextmanager
def hold_stop(*, forget: bool = False) -> Iterator[None]:
    """Let nothing be cut short within; a stop that came is obeyed after it, or forgotten.

    A dpkg that is killed leaves a package half installed.
    """
    _stop.held += 1
    try:
        yield
    finally:
        _stop.held -= 1
    if _stop.asked and not _stop.held and not forget:
        raise _stopped()


def _handle(_signal: int, _frame: FrameType | None) -> None:
    _stop.asked = True
    if not _stop.held:
        raise _stopped()


def _stopped() -> BackendError:
    return BackendError("cannot finish the job: its unit was stopped")
