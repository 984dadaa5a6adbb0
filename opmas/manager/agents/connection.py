"""One connection of an agent: lines in, each a message; lines out.

Who speaks is the kernel's word: the process at the other end runs in the unit of one agent. Lines
are bounded, and an agent that talks too much is read more slowly.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from opmas.host.cgroups import agent_of_process
from opmas.manager.control import wire
from opmas.manager.control.wire import WireError

if TYPE_CHECKING:
    from opmas.manager.agents.link import AgentLinks

LINE_LIMIT: Final = 64 * 1024


class AgentLink(asyncio.Protocol):
    """One connection of an agent."""

    def __init__(self, links: AgentLinks) -> None:
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._name: str | None = None
        self._buffer = bytearray()
        self._calls = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find out who it is; nobody we know is hung up on."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- a stream server's protocol
        self._transport = transport
        name = _peer(transport.get_extra_info("socket"))
        if name is None or not self._links.joined(name, self):
            transport.close()
            return
        self._name = name

    def data_received(self, data: bytes) -> None:
        """Read lines, each a message."""
        self._buffer += data
        self._read()

    def connection_lost(self, _error: Exception | None) -> None:
        """Take leave."""
        if self._name is not None:
            self._links.left(self._name, self)
        self._name = self._transport = None

    def call(self, method: str, params: dict[str, Any]) -> None:
        """Send a request; its answer comes to `config_answered`."""
        self._calls += 1
        self._write(wire.render_call(method, params, self._calls))

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self._write(wire.render_call(method, params))

    def abort(self) -> None:
        """Hang up at once: an agent that does not read must not hold the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, line: bytes) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > LINE_LIMIT * 4:  # it does not read
            self.abort()
            return
        self._transport.write(line)

    def _read(self) -> None:
        """Take the lines that are there, as many as the agent may send now."""
        loop = asyncio.get_running_loop()
        while self._name is not None and not self._is_closing():
            heard = self._links.heard(self._name)
            heard.refill(loop.time())
            if heard.tokens < 1:
                self._pause(heard.wait())
                return
            end = self._buffer.find(b"\n")
            if (len(self._buffer) if end < 0 else end) > LINE_LIMIT:
                self._links.refuse(self._name, f"a message is longer than {LINE_LIMIT} bytes")
                self.abort()
                return
            if end < 0:
                return
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            heard.tokens -= 1
            self._line(self._name, line)

    def _line(self, name: str, line: bytes) -> None:
        asked: object = None
        try:
            message = wire.parse(line)
            asked = message.id
            if isinstance(message, wire.Response):
                self._links.config_answered(name, message)
                return
            answer = self._links.request(name, message)
            if message.id is not None:
                self._write(wire.render_result(message.id, answer or {}))
            if message.method == "hello":
                self._links.greeted(self)
        except WireError as error:
            self._links.refuse(name, str(error))
            request = asked if error.request_id is None else error.request_id
            if request is not None:
                self._write(wire.render_error(request, error))

    def _pause(self, seconds: float) -> None:
        """Read no more for a while from an agent that sent more than its share."""
        if self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._read()

    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()


def _peer(connection: socket.socket) -> str | None:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, _gid = struct.unpack("3i", credentials)
    return agent_of_process(pid, uid)
