"""One D-Bus connection to systemd: the only file that imports pystemd.

pystemd has traps, and this file is where they end (measured with 0.11 and 0.13):

1. A connection object is closed exactly once; a second `close()` aborts the process, and any use
   after it corrupts the heap. A failed open is closed too: pystemd leaves that to its caller.
2. `get_path()` and `get_member()` crash on a message that has none: only signals are asked.
3. `process()` returns an empty message both when nothing is left and when sd-bus handled one
   itself, so a connection is drained when it was empty several times in a row.
4. Failed calls leak about a kilobyte: nothing here polls by calls that fail.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, Final, Self

PRIVATE_SOCKET: Final = "/run/systemd/private"

SYSTEMD: Final = b"org.freedesktop.systemd1"
MANAGER_PATH: Final = b"/org/freedesktop/systemd1"
MANAGER: Final = b"org.freedesktop.systemd1.Manager"
UNIT: Final = b"org.freedesktop.systemd1.Unit"
SERVICE: Final = b"org.freedesktop.systemd1.Service"

# Below the half minute after which the manager kills a bridge that does not answer; above the ten
# seconds for which a daemon-reload blocks PID 1 on a host with 3000 units.
CALL_TIMEOUT_SECONDS: Final = 20
QUIET: Final = 3  # empty turns in a row that end a drain: see rule 3
SIGNAL: Final = 4  # SD_BUS_MESSAGE_SIGNAL

# What says that the connection, and not the call, is at fault. EINTR comes from being stopped
# and continued in the middle of a call: its answer is lost.
_LOST: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOTCONN", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EPIPE", "ESHUTDOWN"),
        *("ETIMEDOUT", "EINTR", "EBADF", "ESTALE", "ENOTSOCK", "ECHILD"),
    )
)


def _load() -> ModuleType:
    """Return pystemd.dbuslib without pystemd's package, whose lxml and psutil cost 6 MB."""
    spec = importlib.util.find_spec("pystemd")
    if spec is not None and spec.submodule_search_locations and "pystemd" not in sys.modules:
        package = ModuleType("pystemd")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["pystemd"] = package
    return importlib.import_module("pystemd.dbuslib")


# libsystemd reads it at the first call; sd-bus's own limit is 25 s.
os.environ.setdefault("SYSTEMD_BUS_TIMEOUT", f"{CALL_TIMEOUT_SECONDS}s")
_dbuslib = _load()
_PystemdError: type[Exception] = importlib.import_module("pystemd.dbusexc").DBusBaseError


class Signal:
    """A signal that systemd sent; only its body costs something."""

    __slots__ = ("_raw", "path")

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.path: bytes = raw.get_path()

    @property
    def member(self) -> bytes:
        """The signal's name."""
        return bytes(self._raw.get_member())

    def body(self) -> Any:
        """Return what it says: 60 us for a PropertiesChanged."""
        with_headers = False
        self._raw.process_reply(with_headers)
        return self._raw.body


class BusError(Exception):
    """A call failed; `lost` when the connection is of no use any more."""

    def __init__(self, name: str, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.lost = lost


class Bus:
    """A connection that is open until `close`."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._open = True
        self.has_more = False
        try:
            raw.open()
        except (_PystemdError, OSError) as error:
            self.close()
            raise _translated(error) from error

    @classmethod
    def private(cls, path: str = PRIVATE_SOCKET) -> Self:
        """Connect to PID 1 itself: root alone may; needs no dbus-daemon and no match rules."""
        return cls(_dbuslib.DBusAddress(f"unix:path={path}".encode(), peer_to_peer=True))

    @classmethod
    def system(cls) -> Self:
        """Connect through the system's dbus-daemon."""
        return cls(_dbuslib.DBus())

    @property
    def fd(self) -> int:
        """The file descriptor to wait on."""
        fd = int(self._raw.get_fd()) if self._open else -1
        if fd < 0:
            raise BusError("disconnected", "the connection is gone", lost=True)
        return fd

    def close(self) -> None:
        """End the connection."""
        if self._open:
            self._open = False
            self._raw.close()

    def call(self, method: bytes, signature: bytes = b"", *values: object) -> Any:
        """Call a method of systemd's manager and return its answer, decoded."""
        return self.call_raw(method, _dbuslib.apply_signature(signature, list(values)))

    def call_raw(self, method: bytes, arguments: list[tuple[int, object]]) -> Any:
        """Call a method of systemd's manager with arguments that are already laid out."""
        return self._call(SYSTEMD, MANAGER_PATH, MANAGER, method, arguments)

    def get(self, path: bytes, interface: bytes, name: bytes, signature: bytes) -> Any:
        """Return a property of an object of systemd."""
        try:
            return self._raw.get_property(SYSTEMD, path, interface, name, signature)
        except (_PystemdError, OSError) as error:
            raise _translated(error) from error

    def version(self) -> str:
        """Return systemd's version, like `252.39-1~deb12u2`."""
        return str(self.get(MANAGER_PATH, MANAGER, b"Version", b"s").decode())

    def subscribe(self, *rules: str) -> None:
        """Have the dbus-daemon pass on the signals that match, and systemd send them."""
        daemon = b"org.freedesktop.DBus"
        for rule in rules:
            arguments = _dbuslib.apply_signature(b"s", [rule.encode()])
            self._call(daemon, b"/org/freedesktop/DBus", daemon, b"AddMatch", arguments)
        self.call(b"Subscribe")

    def drain(self, limit: int) -> list[Signal]:
        """Return up to so many signals that have come; `has_more` when there may be more."""
        signals: list[Signal] = []
        quiet = 0
        while quiet < QUIET and len(signals) < limit:
            message = self._process()
            if message.is_empty():
                if message.is_signal(b"org.freedesktop.DBus.Local", b"Disconnected"):
                    raise BusError("disconnected", "systemd closed the connection", lost=True)
                quiet += 1
            elif message.get_type() == SIGNAL:
                quiet = 0
                signals.append(Signal(message))
        self.has_more = quiet < QUIET
        return signals

    def _call(
        self,
        destination: bytes,
        path: bytes,
        interface: bytes,
        method: bytes,
        arguments: list[tuple[int, object]],
    ) -> Any:
        try:
            reply = self._raw.call_method(destination, path, interface, method, arguments)
        except (_PystemdError, OSError) as error:
            raise _translated(error) from error
        return reply.body

    def _process(self) -> Any:
        try:
            return self._raw.process()
        except (_PystemdError, OSError) as error:
            raise _translated(error) from error


def _translated(error: Exception) -> BusError:
    """Return pystemd's error in our words; some of its classes drop the D-Bus name."""
    raw_name = getattr(error, "err_name", b"") or b""
    raw_text = getattr(error, "err_message", b"") or b""
    name = raw_name.decode() if isinstance(raw_name, bytes) else str(raw_name)
    text = raw_text.decode(errors="replace") if isinstance(raw_text, bytes) else str(raw_text)
    number = abs(getattr(error, "errno", 0) or 0)
    lost = number in _LOST and not name.startswith("org.freedesktop.systemd1.")
    text = text or os.strerror(number)
    return BusError(name or type(error).__name__, text.rstrip("."), lost=lost)
