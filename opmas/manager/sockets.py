"""Listening sockets that appear at their path with the right mode, all at once."""

from __future__ import annotations

import grp
import logging
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


def listen(path: Path, mode: int, backlog: int, group: str | None = None) -> socket.socket:
    """Return a listening socket; what an earlier manager left at the path is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        listener.bind(str(beside))
    finally:
        os.umask(mask)
    listener.listen(backlog)
    if group is not None:
        _give_to(beside, group)
    beside.chmod(mode)
    beside.rename(path)
    listener.settimeout(0.0)
    return listener


def _give_to(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except (KeyError, PermissionError):  # a checkout: the socket is its user's alone
        logger.info("%s is for this user only: there is no group %s", path, group)
