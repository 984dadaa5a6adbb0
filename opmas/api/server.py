"""gunicorn as a library: one worker of threads, on the sockets of systemd or on `listen`.

systemd's sockets (LISTEN_FDS) and its readiness protocol (NOTIFY_SOCKET) are gunicorn's own
doing.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gunicorn import glogging, systemd
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from opmas.api.app import create_app
from opmas.systemd.notify import Notifier
from opmas.version import VERSION

if TYPE_CHECKING:
    from flask import Flask

    from opmas.api.settings import ApiSection

logger = logging.getLogger(__name__)

SEND_TIMEOUT: Final = 10  # seconds for one piece in either direction
KEEP_ALIVE: Final = 5  # seconds; idle connections hold no thread
STOP_TIMEOUT: Final = 5  # seconds for requests that are being answered
HUNG_TIMEOUT: Final = 30  # seconds without a turn of the worker's loop until it is replaced
CONNECTIONS: Final = 900  # at once; below the usual limit of 1024 descriptors


class Log(glogging.Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's messages on our own log; it keeps no access log."""

    def setup(self, _cfg: Any) -> None:
        """Leave everything to the root logger."""
        self.error_log.setLevel(logging.WARNING)  # its INFO is about signals and processes
        self.error_log.addFilter(_is_news)
        self.access_log.disabled = True

    def access(self, *_: Any) -> None:
        """Keep no access log."""


class Supervisor(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's arbiter, which replaces a worker that hangs; systemd replaces the arbiter."""

    def murder_workers(self) -> None:
        """Look at the worker, as each turn does, and feed the watchdog."""
        super().murder_workers()
        self._notifier.watchdog()

    def start(self) -> None:
        """Begin as a service that systemd watches."""
        self._notifier = Notifier()
        super().start()


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """The API under gunicorn; `run` returns when the process ends."""

    def __init__(self, settings: ApiSection) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        for name, value in {
            "bind": [self._settings.listen],
            "workers": 1,
            "threads": self._settings.threads,
            "worker_class": "opmas.api.worker.Worker",
            "worker_connections": CONNECTIONS,
            "worker_tmp_dir": _memory_dir(),
            "preload_app": True,  # its memory is shared with the arbiter's
            "timeout": HUNG_TIMEOUT,
            "graceful_timeout": STOP_TIMEOUT,
            "keepalive": KEEP_ALIVE,
            "limit_request_fields": 64,
            "limit_request_field_size": 4096,
            "logger_class": Log,
            "proc_name": "opmas-api",
            "when_ready": _on_ready,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application."""
        return create_app(self._settings)

    def run(self) -> None:
        """Serve until the process is told to stop."""
        Supervisor(self).run()


def _on_ready(arbiter: Any) -> None:
    gc.freeze()  # a collection in the worker would copy each page that it shares with the arbiter
    for listener in arbiter.LISTENERS:
        # socket(7): connections inherit them from their listener; no worker's code is involved
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SEND_TIMEOUT, 0))
    where = ", ".join(str(listener) for listener in arbiter.LISTENERS)
    systemd.sd_notify(f"STATUS=serving {where}", arbiter.log)
    logger.info("api %s: serving %s", VERSION, where)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether gunicorn says more than that a client was slow or left."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, ConnectionError | TimeoutError | BlockingIOError)


def _memory_dir() -> str | None:
    """Return where the worker's heartbeat waits for no disk; None is gunicorn's own choice."""
    shared = Path("/dev/shm")  # noqa: S108 - gunicorn makes an unnamed file there
    return str(shared) if os.access(shared, os.W_OK) else None
