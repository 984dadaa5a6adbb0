"""Where log records go: journald's own protocol, or stderr.

Native datagrams (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/) keep a traceback one entry and carry
fields. When journald's socket is away or an entry is too large for a datagram, the record goes to
stderr with the `<N>` prefix of sd-daemon(3), which journald reads as well. Where stderr is no
journal (a terminal, a file), records are plain text.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping
    from typing import Any, TextIO

JOURNAL_SOCKET = "/run/systemd/journal/socket"
# A journald that is busy must not hang the agent: the record is then lost, the work goes on.
SEND_TIMEOUT = 0.5

# What a caller may hand to a logging method besides its own fields.
_OF_LOGGING = ("exc_info", "stack_info", "stacklevel", "extra")
_NOT_IN_A_FIELD_NAME = re.compile(r"[^A-Z0-9_]")
_FIELD_NAME_LENGTH = 64  # journald drops longer ones
_TAKEN = frozenset({"MESSAGE", "PRIORITY", "OPMAS_AGENT", "LOGGER", "MESSAGE_ID"})


# typeshed's adapter is generic, the one at run time was not always
if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class AgentLog(_Adapter):
    """A stdlib logging adapter that takes fields by keyword: `log.info("full", mount="/")`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Move the caller's own keywords into the record's fields."""
        extra = dict(kwargs.get("extra") or {})
        fields = dict(extra.get("fields") or {})
        own = [name for name in kwargs if name not in _OF_LOGGING]
        fields.update((name, kwargs.pop(name)) for name in own)
        extra["fields"] = fields
        kwargs["extra"] = extra
        return msg, kwargs


class JournalHandler(logging.Handler):
    """Sends each record to journald as one entry."""

    def __init__(self, agent: str, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self.agent = agent
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(SEND_TIMEOUT)
        self._fallback = StderrHandler(prefixed=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record; on stderr when the socket does not take it."""
        try:
            entry = encoded_entry(self._fields(record))
            # not connected: journald may be restarted and bind a new socket
            self._socket.sendto(entry, self._path)
        except TimeoutError:
            return
        except OSError:
            self._fallback.handle(record)
        except Exception:  # noqa: BLE001 - logging's contract: a log call never raises
            self.handleError(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> Iterable[tuple[str, str]]:
        yield "MESSAGE", full_message(record)
        yield "PRIORITY", str(priority(record.levelno))
        yield "SYSLOG_IDENTIFIER", self.agent
        yield "LOGGER", record.name
        yield "CODE_FILE", record.pathname
        yield "CODE_LINE", str(record.lineno)
        yield "CODE_FUNC", record.funcName or ""
        yield "OPMAS_AGENT", self.agent
        for name, value in fields_of(record).items():
            yield field_name(name), str(value)


class StderrHandler(logging.Handler):
    """Writes each record as text, with the `<N>` of its priority when journald reads it."""

    def __init__(self, *, prefixed: bool, stream: TextIO | None = None) -> None:
        super().__init__()
        self._prefixed = prefixed
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        first, newline, rest = full_message(record).partition("\n")
        text = first + fields + newline + rest
        if self._prefixed:
            # each line is an entry of its own there
            prefix = f"<{priority(record.levelno)}>"
            text = "\n".join(prefix + line for line in text.split("\n"))
        else:
            text = f"{record.levelname.lower()}: {text}"
        stream = self._stream or sys.stderr
        try:
            stream.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
            stream.flush()
        except (OSError, ValueError):  # ValueError: stderr is closed
            return


def log_to(agent: str, environ: Mapping[str, str]) -> logging.Handler:
    """Point the root logger at the journal, or at stderr, and return the handler."""
    handler: logging.Handler
    if is_journal(environ.get("JOURNAL_STREAM", "")):
        handler = JournalHandler(agent)
    else:
        handler = StderrHandler(prefixed=False)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = environ.get("OPMAS_LOG_LEVEL", "INFO").upper()
    root.setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    return handler


def is_journal(stream: str) -> bool:
    """Return whether stderr is the journal that $JOURNAL_STREAM names (systemd.exec(5))."""
    device, _, inode = stream.partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return False
    try:
        stat = os.fstat(2)
    except OSError:
        return False
    return (stat.st_dev, stat.st_ino) == (int(device), int(inode))


def encoded_entry(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return one entry of the native protocol; a value of several lines goes with its length."""
    entry = bytearray()
    for name, value in fields:
        raw = value.encode("utf-8", "backslashreplace")
        if b"\n" in raw:
            entry += name.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n"
        else:
            entry += name.encode() + b"=" + raw + b"\n"
    return bytes(entry)


def field_name(name: str) -> str:
    """Return a journal field name for an author's keyword; never one that the SDK uses."""
    cleaned = _NOT_IN_A_FIELD_NAME.sub("_", name.upper())
    # a leading underscore is journald's own, a digit is not allowed there
    if cleaned in _TAKEN or cleaned.startswith("CODE_") or not cleaned[:1].isalpha():
        cleaned = "FIELD_" + cleaned.lstrip("_")
    return cleaned[:_FIELD_NAME_LENGTH]


def priority(level: int) -> int:
    """Return the syslog priority of a logging level."""
    for threshold, number in _PRIORITIES:
        if level >= threshold:
            return number
    return 7


_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def full_message(record: logging.LogRecord) -> str:
    """Return the message with its traceback, if there is one."""
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + _FORMATTER.formatException(record.exc_info)
    if record.stack_info:
        message += "\n" + record.stack_info
    return message


_FORMATTER = logging.Formatter()


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return the author's own fields of a record."""
    return getattr(record, "fields", None) or {}
