"""Both connections to systemd: one hears signals, the other makes calls.

After a call, signals wait inside sd-bus while the file descriptor is not readable; therefore the
connection that is waited on makes no calls once it is set up. PID 1 sends its signals on every
private connection, so what comes on the second one is thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import UNIT_PREFIX, UNIT_SUFFIX
from opmas.systemd.bus import SERVICE, UNIT, Bus, BusError
from opmas.systemd.sightings import Row, make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opmas.systemd.bus import Signal

# Objects are flat, so a rule cannot ask for our units alone.
_FROM: Final = "type='signal',sender='org.freedesktop.systemd1'"
RULES: Final = (
    f"{_FROM},path='/org/freedesktop/systemd1',interface='org.freedesktop.systemd1.Manager'",
    f"{_FROM},path_namespace='/org/freedesktop/systemd1/unit',member='PropertiesChanged'",
)

# What a full check reads of each unit beside its row in the list: one Get costs 24 us over the
# private socket; GetAll, with 303 properties, 2 ms.
CHANGED: Final = (UNIT, b"StateChangeTimestamp", b"t")
READS: Final = (
    (SERVICE, b"Result", b"s"),
    (SERVICE, b"ExecMainCode", b"i"),
    (SERVICE, b"ExecMainStatus", b"i"),
    (SERVICE, b"MainPID", b"u"),
    (SERVICE, b"NRestarts", b"u"),
    (SERVICE, b"StatusText", b"s"),
    (SERVICE, b"ExecMainExitTimestamp", b"t"),
    (UNIT, b"InvocationID", b"ay"),
    (UNIT, b"ActiveEnterTimestamp", b"t"),
)


class Connection:
    """A working pair of connections, of the kind private or bus."""

    def __init__(self, kind: str, connect: Callable[[], Bus]) -> None:
        self.kind = kind
        self._buses: list[Bus] = []
        try:
            self._buses.append(connect())
            self._buses.append(connect())
            if kind == "bus":
                self.ears.subscribe(*RULES)
            self.version = self.calls.version()
            self.ears.version()  # once it answers, PID 1 sends signals here too
        except BusError:
            self.close()
            raise

    @property
    def ears(self) -> Bus:
        """The connection that hears signals."""
        return self._buses[0]

    @property
    def calls(self) -> Bus:
        """The connection that makes calls."""
        return self._buses[1]

    def fds(self) -> list[int]:
        """Return the file descriptors to wait on."""
        return [bus.fd for bus in self._buses]

    def signals(self, limit: int) -> list[Signal]:
        """Return up to so many signals that have come; `has_more` when there may be more."""
        self.calls.drain(limit)
        return self.ears.drain(limit)

    @property
    def has_more(self) -> bool:
        """Whether signals may be waiting where the file descriptors do not show it."""
        return any(bus.has_more for bus in self._buses)

    def close(self) -> None:
        """End both."""
        for bus in self._buses:
            bus.close()
        self._buses = []

    def loaded(self, *names: str) -> list[tuple[Any, ...]]:
        """Return systemd's list of the loaded units of agents, or of those named."""
        patterns = [name.encode() for name in names] or [f"{UNIT_PREFIX}*{UNIT_SUFFIX}".encode()]
        return list(self.calls.call(b"ListUnitsByPatterns", b"asas", [], patterns) or [])

    def read_all(self, known: Mapping[bytes, Row]) -> dict[bytes, Row]:
        """Return the row of each loaded unit of an agent, by its path.

        A known row whose unit has not changed state since is taken as it is: all else that a row
        has comes with signals, and those were heard.
        """
        return {listed[6]: self._read(listed, known.get(listed[6])) for listed in self.loaded()}

    def _read(self, listed: tuple[Any, ...], known: Row | None) -> Row:
        _name, _description, load, active, sub, _followed, path, job_id, _type, _job = listed
        values: dict[bytes, Any] = {
            b"LoadState": load,
            b"ActiveState": active,
            b"SubState": sub,
            b"Job": (job_id, b""),
        }
        interface, name, signature = CHANGED
        values[name] = self.calls.get(path, interface, name, signature)
        if known is not None and make_row(path, values, known) == known:
            return known
        for interface, name, signature in READS:
            values[name] = self.calls.get(path, interface, name, signature)
        return make_row(path, values)
