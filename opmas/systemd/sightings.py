"""What signals and reads say about units, turned into rows: pure, and without pystemd.

systemd sends each change twice, first the Service properties and then the Unit ones, and each
signal has all properties that emit changes. A row is taken at the second. Rows of one unit that
follow each other within one drain travel together: on systemd 252 the failure of a crash and the
automatic restart come within 0.1 ms, and the next start resets the exit code, so no row may be
dropped for a later one.

A row has the fields of `UnitState`, in order, up to `exec_main_exit_at`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.systemd.paths import path_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Row = list[Any]

FIELDS: Final = (
    "unit",
    "load_state",
    "active_state",
    "sub_state",
    "result",
    "exec_main_code",
    "exec_main_status",
    "main_pid",
    "n_restarts",
    "invocation_id",
    "status_text",
    "job_id",
    "active_enter_at",
    "state_change_at",
    "exec_main_exit_at",
)
_EMPTY: Final[Row] = ["", "loaded", "inactive", "dead", "success", 0, 0, 0, 0, "", "", 0, 0, 0, 0]
_STATE_CHANGE_AT: Final = FIELDS.index("state_change_at")
_LOAD_STATE: Final = FIELDS.index("load_state")
_UNIT_INTERFACE: Final = b"org.freedesktop.systemd1.Unit"


def text(value: bytes) -> str:
    """Return a D-Bus string."""
    return value.decode(errors="replace")


def seconds(microseconds: int) -> float:
    """Return an instant of systemd in seconds since 1970."""
    return microseconds / 1_000_000


def _hex(value: Iterable[int] | bytes) -> str:
    return bytes(value or b"").hex()


def _first(value: tuple[int, bytes]) -> int:
    return value[0]


_PROPERTIES: Final[dict[bytes, tuple[int, Callable[[Any], Any]]]] = {
    name: (FIELDS.index(field), convert)
    for name, field, convert in (
        (b"LoadState", "load_state", text),
        (b"ActiveState", "active_state", text),
        (b"SubState", "sub_state", text),
        (b"Result", "result", text),
        (b"ExecMainCode", "exec_main_code", int),
        (b"ExecMainStatus", "exec_main_status", int),
        (b"MainPID", "main_pid", int),
        (b"NRestarts", "n_restarts", int),
        (b"InvocationID", "invocation_id", _hex),
        (b"StatusText", "status_text", text),
        (b"Job", "job_id", _first),
        (b"ActiveEnterTimestamp", "active_enter_at", seconds),
        (b"StateChangeTimestamp", "state_change_at", seconds),
        (b"ExecMainExitTimestamp", "exec_main_exit_at", seconds),
    )
}


class Sightings:
    """The last row of every unit that the manager was told of."""

    def __init__(self) -> None:
        self._rows: dict[bytes, Row] = {}
        self._told: dict[bytes, Row] = {}

    def __contains__(self, path: bytes) -> bool:
        return path in self._rows

    @property
    def rows(self) -> Mapping[bytes, Row]:
        """The row of each unit, by its path, whether told or not."""
        return self._rows

    def apply(self, path: bytes, interface: bytes, values: Mapping[bytes, Any]) -> Row | None:
        """Take the body of a PropertiesChanged; return the row if it is a new one."""
        row = self._rows.get(path)
        if row is None:
            row = self._rows[path] = [path_unit(path), *_EMPTY[1:]]
        _update(row, values)
        if interface != _UNIT_INTERFACE or row == self._told.get(path):
            return None
        told = self._told[path] = row.copy()
        return told

    def forget(self, path: bytes) -> str | None:
        """Drop a unit that is not loaded any more; return its name if it was known."""
        self._told.pop(path, None)
        row = self._rows.pop(path, None)
        return None if row is None else str(row[0])

    def merge(self, read: Mapping[bytes, Row], touched: set[bytes]) -> list[Row]:
        """Take the result of a full check and return the rows that hold now.

        `touched` are the units that sent signals since the check began: each read of theirs is
        taken unless their signals are newer, and one that was not read was loaded after that, or
        unloaded before.
        """
        merged = dict(read)
        for path in touched & self._rows.keys():
            own = self._rows[path]
            fresh = read.get(path)
            if fresh is None:
                merged[path] = own
            elif own[_STATE_CHANGE_AT] >= fresh[_STATE_CHANGE_AT]:
                merged[path] = own
                own[_LOAD_STATE] = fresh[_LOAD_STATE]
        self._rows = merged
        self._told = {path: row.copy() for path, row in merged.items()}
        return list(self._told.values())


def make_row(path: bytes, values: Mapping[bytes, Any], known: Row | None = None) -> Row:
    """Return the row of a unit of which these properties were read, the others as known."""
    row = [path_unit(path), *_EMPTY[1:]] if known is None else known.copy()
    _update(row, values)
    return row


def _update(row: Row, values: Mapping[bytes, Any]) -> None:
    for name, (index, convert) in _PROPERTIES.items():
        if name in values:
            row[index] = convert(values[name])


class Burst:
    """The events of one drain, in order; rows of a unit that follow each other go together.

    None goes past another unit's: who goes down first is told by that alone.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._unit = ""  # whose rows the last event is of

    def changed(self, row: Row) -> None:
        """Add a row."""
        if row[0] == self._unit:
            self.events[-1]["states"].append(row)
        else:
            self._unit = row[0]
            self.events.append({"event": "changed", "states": [row]})

    def job_removed(self, unit: str, job_id: int, result: str) -> None:
        """Add the end of a job: later rows stay behind it."""
        self._unit = ""
        self.events.append({"event": "job", "unit": unit, "job_id": job_id, "result": result})
