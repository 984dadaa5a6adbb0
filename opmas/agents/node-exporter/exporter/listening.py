"""The socket that the exporter serves, opened for it: a client waits and is never refused.

The agent is ready as soon as the socket is, and a port that is taken is said in one line.
"""

from __future__ import annotations

import os
import socket
from typing import Final

FIRST_FD: Final = 3  # sd_listen_fds(3)
BACKLOG: Final = 128


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens there; OSError when it cannot."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server(
        (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=address == "::"
    )


def hand_over(listening: socket.socket) -> dict[str, str]:
    """Keep the socket for the program that this process becomes; return what tells it so."""
    os.dup2(listening.fileno(), FIRST_FD)
    os.set_inheritable(FIRST_FD, True)  # noqa: FBT003 - dup2 leaves it when it is this one already
    return {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}


def say_ready(path: str | None) -> None:
    """Tell systemd that the agent is ready: sd_notify(3)."""
    if not path:
        return
    name = f"\0{path[1:]}" if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
        speaker.connect(name)
        speaker.sendall(b"READY=1")
