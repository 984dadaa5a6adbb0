"""What is around all agents: read anew when it is asked for, at most every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.change.surroundings import Surroundings
from opmas.host.pressure import read_pressure
from opmas.host.space import read_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opmas.manager.clock import Clock

FRESH: Final = 2.0  # seconds; PSI's own figures are averages of 10


class Scenery:
    """Reads the host's pressure and disk for the decisions of the core."""

    def __init__(self, state: Path, clock: Clock, database_ok: Callable[[], bool]) -> None:
        self._state = state
        self._clock = clock
        self._database_ok = database_ok
        self._read_at: float | None = None
        self._seen = Surroundings()

    def __call__(self) -> Surroundings:
        """Return what is around, at most `FRESH` seconds old."""
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at >= FRESH:
            self._read_at, self._seen = now, self._look()
        return self._seen

    def _look(self) -> Surroundings:
        space, pressure = read_space(self._state), read_pressure()
        return Surroundings(
            disk_free=1.0 if space is None else space.fraction,
            disk_free_bytes=2**63 if space is None else space.free_bytes,
            cpu_pressure=pressure.cpu,
            memory_pressure=pressure.memory,
            io_pressure=pressure.io,
            database_ok=self._database_ok(),
        )
