"""The numbers that may have been given, of events or of changes: a small file beside the database.

It is written ahead, in blocks, so that a database that was lost or is restored goes on after the
last number that anybody may have seen. It holds two numbers: where the log was when it was
written, and up to where numbers may have been given since. A log that ends before the first is an
older copy of itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from opmas.host.files import write_whole
from opmas.store.faults import translated

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

BLOCK: Final = 1000
BLOCK_OF_CHANGES: Final = 100


class Sequence:
    """The file, as far as it can be read; a lost one is begun anew from the log itself."""

    def __init__(self, path: Path, what: str = "events", block: int = BLOCK) -> None:
        self._path = path
        self._what = what
        self._block = block
        self.since, self.upto = self._read()

    def reserve(self, last: int, more: int) -> None:
        """Make sure that `more` numbers after `last` may be given. Raises `StoreError`."""
        if last + more > self.upto:
            self._write(last, last + more + self._block)

    def settle(self, last: int) -> None:
        """Make sure that whoever goes by the first number alone goes on after `last`."""
        if last > self.since:
            self._write(last, max(last, self.upto))

    def end(self, last: int) -> None:
        """Say that `last` was the last one: nothing is reserved any more."""
        if (last, last) != (self.since, self.upto):
            self._write(last, last)

    def is_older(self, last: int) -> bool:
        """Return whether a log that ends with `last` was longer once."""
        return last < self.since

    def _write(self, since: int, upto: int) -> None:
        with translated("save", f"the numbers of {self._what}"):
            write_whole(self._path, f"{since} {upto}\n", 0o600)
        self.since, self.upto = since, upto

    def _read(self) -> tuple[int, int]:
        try:
            since, upto = (int(word) for word in self._path.read_text(encoding="ascii").split())
        except FileNotFoundError:
            return 0, 0
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read: %s", self._path, error)
            return 0, 0
        return since, max(since, upto)
