"""Ends the waiting of a loop: from a signal handler, or from another thread."""

from __future__ import annotations

import os
import signal


class Wakeup:
    """A pipe that the loop polls; a byte in it means: look again."""

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # The interpreter runs signal handlers between two byte codes; the pipe ends poll(2) also
        # when the signal arrives just before it. A full pipe wakes as well.
        signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)

    def wake(self) -> None:
        """End the loop's waiting."""
        try:
            os.write(self._end, b"\0")
        except BlockingIOError:
            return  # it is full: the loop wakes anyway

    def drain(self) -> None:
        """Empty the pipe."""
        try:
            os.read(self.descriptor, 4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the pipe back."""
        signal.set_wakeup_fd(-1)
        os.close(self.descriptor)
        os.close(self._end)
