"""Who is at the other end of the control socket, as the kernel says it."""

from __future__ import annotations

import os
import socket
import struct
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opmas.errors import AccessDeniedError

if TYPE_CHECKING:
    import asyncio

_CREDENTIALS: Final = struct.Struct("3i")  # unix(7): process, user, group
_UNKNOWN: Final = -1

_user: ContextVar[int] = ContextVar("user", default=_UNKNOWN)


def take_note(writer: asyncio.StreamWriter) -> None:
    """Remember, for what this task does, which user has connected."""
    _user.set(user_of(writer))


def user_of(writer: asyncio.StreamWriter) -> int:
    """Return the number of the user who has connected."""
    plug: socket.socket = writer.get_extra_info("socket")
    raw = plug.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)


def need_root(doing: str, why: str) -> None:
    """Raise `AccessDeniedError` unless root asks, or the manager's own user."""
    if _user.get() not in {0, os.geteuid()}:
        raise AccessDeniedError(f"cannot {doing}: {why}", ("run it as root: sudo opmas …",))
