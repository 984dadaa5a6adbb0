"""How much this host's processes wait for its CPUs, memory and disks: PSI, as in the kernel's
Documentation/accounting/psi.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PLACE: Final = Path("/proc/pressure")


@dataclass(frozen=True, slots=True)
class Pressure:
    """Percent of the last 10 seconds in which some process waited; None where nobody knows."""

    cpu: float | None = None
    memory: float | None = None
    io: float | None = None


def read_pressure(place: Path = PLACE) -> Pressure:
    """Return the pressure now. A kernel without PSI, or with `psi=0`, tells nothing."""
    return Pressure(_some(place / "cpu"), _some(place / "memory"), _some(place / "io"))


def _some(path: Path) -> float | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        words = next(line.split() for line in lines if line.startswith("some "))
        figures = dict(word.split("=", 1) for word in words[1:])
        return float(figures["avg10"])
    except (OSError, ValueError, KeyError, StopIteration):  # EOPNOTSUPP: compiled in, and off
        return None
