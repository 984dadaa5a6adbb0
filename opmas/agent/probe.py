"""`python3 -m opmas.agent.probe http URL TIMEOUT`, or `tcp HOST:PORT TIMEOUT`: one health check.

Exit code 0: it answers (HTTP: with a status below 400); 1: it does not; 2: wrong usage. One line
says what was found.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from typing import Final
from urllib.parse import urlsplit

USAGE: Final = "usage: python3 -m opmas.agent.probe {http URL|tcp HOST:PORT} TIMEOUT"
BAD_STATUS: Final = 400


def main(argv: list[str]) -> int:
    """Run the check that the arguments describe."""
    try:
        kind, target, timeout = argv
        check = {"http": check_http, "tcp": check_tcp}[kind]
        started = time.monotonic()
        found = check(target, float(timeout))
    except (ValueError, KeyError) as error:
        _say(f"{USAGE} ({error})", "<3>")
        return 2
    except (OSError, http.client.HTTPException) as error:
        _say(f"{argv[1]}: {_reason(error, argv[2])}", "<4>")
        return 1
    _say(f"{target}: {found} in {(time.monotonic() - started) * 1000:.0f} ms", "<6>")
    return 0


def check_http(url: str, timeout: float) -> str:
    """Return the status that the server answers with; OSError when it is an error or none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"no http URL: {url}")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        path = parts.path or "/"
        headers = {"User-Agent": "opmas-probe", "Connection": "close"}
        connection.request("GET", f"{path}?{parts.query}" if parts.query else path, None, headers)
        answer = connection.getresponse()
        found = f"{answer.status} {answer.reason}"
    finally:
        connection.close()
    if answer.status >= BAD_STATUS:
        raise OSError(found)
    return found


def check_tcp(address: str, timeout: float) -> str:
    """Return that the port accepts a connection; OSError when it does not."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout):
        return "connected"


def _reason(error: Exception, timeout: str) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout} s"
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or repr(error)


def _say(line: str, priority: str) -> None:
    """Write the line; systemd reads its priority where it reads the line (sd-daemon(3))."""
    prefix = priority if "JOURNAL_STREAM" in os.environ else ""
    sys.stderr.write(f"{prefix}{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
