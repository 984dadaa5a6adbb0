"""One health check: the exporter answers at the address that it was started with."""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path
from typing import Final

from .start import ADDRESS

TIMEOUT: Final = 4.0  # seconds; systemd ends the check after 5
OK: Final = 200


def main() -> int:
    """Return 0 when it answers, 1 with a line that says why when not."""
    path = Path(os.environ.get("STATE_DIRECTORY", "."), ADDRESS)
    try:
        address = path.read_text(encoding="ascii").strip()
        status = ask(address)
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"the exporter does not answer: {error}\n")
        return 1
    if status != OK:
        sys.stderr.write(f"the exporter answers with HTTP status {status}\n")
        return 1
    return 0


def ask(address: str) -> int:
    """Return the status of its first page, which costs it nothing to make."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()
