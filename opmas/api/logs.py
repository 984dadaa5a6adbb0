"""The service's log on stderr: with `<N>` priorities for the journal, with times for people."""

from __future__ import annotations

import logging
import os
import sys

# The numbers of sd-daemon(3).
PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class JournalFormatter(logging.Formatter):
    """Puts the priority before every line: the journal reads each line by itself."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of the record."""
        mark = f"<{PRIORITIES.get(record.levelno, 5)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


def begin(level: str) -> None:
    """Log to stderr from now on."""
    output = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        output.setFormatter(JournalFormatter("%(message)s"))
    else:
        output.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[output], force=True)
