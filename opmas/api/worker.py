"""The worker under gunicorn's arbiter: a pool of threads that no client can hold up.

It adjusts gunicorn's own worker of threads against clients that are slow or hostile, and to end
at once; by the names that gunicorn 20.1 (Debian 12) to 23 (Debian 13) share.
"""

from __future__ import annotations

import logging
import os
import re
import selectors
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from gunicorn.http import errors as http_errors
from gunicorn.http.body import ChunkedReader
from gunicorn.workers.gthread import TConn, ThreadWorker

from opmas.api import problems
from opmas.api.app import api_of
from opmas.api.body import Body
from opmas.errors import StoreError

logger = logging.getLogger(__name__)

HEADERS_TIMEOUT: Final = 8.0  # seconds for the whole head of a request, however it dribbles in
PRESSED_TIMEOUT: Final = 0.5  # seconds; when half of the threads wait for such heads
LENGTH: Final = re.compile(r"[0-9]{1,15}[ \t]*")
TOO_LARGE: Final = (http_errors.LimitRequestLine, http_errors.LimitRequestHeaders)


def _check_length(req: Any) -> None:
    """Refuse a length that Python reads as a number, as `1_0` and `+5`, and a proxy may not."""
    for name, value in req.headers:
        if name == "CONTENT-LENGTH" and not LENGTH.fullmatch(value):
            raise http_errors.InvalidHeader(name, req=req)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A worker of threads that slow clients do not hold up and that ends at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads: dict[Any, float] = {}  # connection -> since when its request's head is read

    def run(self) -> None:
        """Serve until SIGTERM, which wakes the loop and all who wait for events."""
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._on_signal)
        try:
            api_of(self.wsgi).tokens.all()
        except StoreError as error:  # requests try again, and say so
            logger.error("%s", error.message)  # noqa: TRY400 - the trace says no more
        api_of(self.wsgi).retention.begin()
        super().run()

    def accept(self, server: Any, *listener: Any) -> None:
        """Accept a connection; before it sends anything, it gets no thread.

        gunicorn 20.1 gives it one, so that 64 silent connections stop the server; later
        versions don't, and know `on_client_socket_readable`.
        """
        if hasattr(ThreadWorker, "on_client_socket_readable"):
            super().accept(server, *listener)
            return
        try:
            accepted, client = listener[0].accept()
        except OSError:  # it left again
            return
        connection = TConn(self.cfg, accepted, client, server)
        self.nr_conns += 1
        connection.set_timeout()
        with self._lock:
            self._keep.append(connection)
            self.poller.register(
                accepted, selectors.EVENT_READ, lambda _: self.reuse_connection(connection, _)
            )

    def notify(self) -> None:
        """Tell the arbiter that the loop turns; cut those who are slow with their request."""
        now = time.monotonic()
        is_pressed = len(self._heads) * 2 > self.cfg.threads
        patience = PRESSED_TIMEOUT if is_pressed else HEADERS_TIMEOUT
        for connection, begun in list(self._heads.items()):
            if now > begun + patience and self._heads.pop(connection, 0.0):
                with suppress(OSError):  # it may have left in this moment
                    connection.sock.shutdown(socket.SHUT_RDWR)  # its thread reads the end
        super().notify()

    def is_parent_alive(self) -> bool:
        """Tell whether the arbiter lives; without it the worker ends, and streams with it."""
        alive = bool(super().is_parent_alive())
        if not alive:
            api_of(self.wsgi).close()
        return alive

    def handle(self, conn: Any) -> Any:
        """Read one request and answer it, in a thread."""
        self._heads[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head was read."""
        self._heads.pop(conn, None)
        _check_length(req)
        # In WSGI `A_B` and `A-B` are one: a client could set SCRIPT_NAME or shadow a header.
        req.headers = [header for header in req.headers if "_" not in header[0]]
        # Who frames the body is gunicorn's to decide, which refuses what is ambiguous.
        reader = req.body.reader
        length = None if isinstance(reader, ChunkedReader) else reader.length
        req.body = Body(conn.sock, req.unreader, length)
        return super().handle_request(req, conn)

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP request with a problem document too."""
        status, detail = HTTPStatus.BAD_REQUEST, "this is no valid HTTP request"
        if isinstance(exc, TOO_LARGE):
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            detail = "the request line or a header is too long, or there are too many headers"
        elif not isinstance(exc, http_errors.ParseException):
            logger.error("a fault outside of the application", exc_info=exc)
            status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, "a fault in the API"
        code = "internal-error" if status.value >= 500 else "invalid-request"  # noqa: PLR2004
        body = problems.document(status, code, detail, (), "").encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with suppress(OSError):  # it may have left
            client.sendall(head.encode() + body)

    def _on_signal(self, pipe: int) -> None:
        os.read(pipe, 4096)
        if not self.alive:
            api_of(self.wsgi).close()
