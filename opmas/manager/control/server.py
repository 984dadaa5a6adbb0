"""The control socket: requests in, answers out, one connection a caller.

Who may connect is the socket's mode: root and the group opmas. Requests of one connection are
answered in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from opmas.errors import OpmasError
from opmas.manager.control import caller, wire
from opmas.manager.control.wire import Request, WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opmas.manager.control.methods import Method

logger = logging.getLogger(__name__)

LINE_LIMIT: Final = 1024 * 1024


class Control:
    """Serves the methods of a table."""

    def __init__(self, table: Mapping[str, Method]) -> None:
        self._table = table
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one caller until it hangs up."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        caller.take_note(writer)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._converse(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def close(self) -> None:
        """Hang up on every caller."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                error = WireError(wire.INVALID_REQUEST, f"a request is at most {LINE_LIMIT} bytes")
                writer.write(wire.render_error(None, error))
                await writer.drain()
                return
            answer = await self._answer(line)
            if answer:
                writer.write(answer)
                await writer.drain()

    async def _answer(self, line: bytes) -> bytes:
        try:
            request = wire.parse(line)
        except WireError as error:
            return wire.render_error(error.request_id, error)
        if not isinstance(request, Request):
            return b""
        try:
            return wire.render_result(request.id, await self._call(request))
        except (OpmasError, WireError) as error:
            return wire.render_error(request.id, error)
        except Exception as error:
            logger.exception("%s failed", request.method)
            return wire.render_error(request.id, error)

    async def _call(self, request: Request) -> dict[str, object]:
        method = self._table.get(request.method)
        if method is None:
            raise WireError(wire.METHOD_NOT_FOUND, f"no method {request.method[:40]!r}")
        return await method(request.params)
