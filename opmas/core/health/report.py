"""How well an agent does: what it says itself, and what its probe finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import Health

if TYPE_CHECKING:
    from collections.abc import Iterable

# From best to worst: what is not known is worse than well, and better than known to be bad.
RANK: Final = {Health.HEALTHY: 0, Health.UNKNOWN: 1, Health.DEGRADED: 2, Health.UNHEALTHY: 3}


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of an agent; `code` is for programs, `message` for people.

    A name with slashes is a check within another: `database/pool`.
    """

    name: str
    status: Health
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was last said of an agent's health."""

    status: Health
    message: str = ""
    checks: tuple[Check, ...] = ()


HEALTHY = Report(Health.HEALTHY)


def worst(statuses: Iterable[Health]) -> Health:
    """Return the worst of the statuses; healthy when there is none."""
    return max(statuses, key=RANK.__getitem__, default=Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class Probing:
    """The results of a probe in a row, and what they say of the agent.

    `threshold` failures in a row make it unhealthy, `needed` successes in a row well again; its
    first success makes it well at once.
    """

    threshold: int
    needed: int = 1
    failures: int = 0
    successes: int = 0
    status: Health = Health.UNKNOWN

    def after(self, *, passed: bool) -> Probing:
        """Return the probing after one more result."""
        failures = 0 if passed else self.failures + 1
        successes = self.successes + 1 if passed else 0
        counted = replace(self, failures=failures, successes=successes)
        return replace(counted, status=_status(counted))

    def report(self, hint: str) -> Report:
        """Return the health that the results give; `hint` says where to read more."""
        if self.failures:
            return Report(self.status, f"the health check failed {_times(self.failures)}: {hint}")
        if self.status is Health.UNHEALTHY:
            passed = _times(self.successes)
            message = f"the health check passed {passed}; well again after {self.needed}"
            return Report(self.status, message)
        return Report(self.status)


def _status(probing: Probing) -> Health:
    if probing.failures >= probing.threshold:
        return Health.UNHEALTHY
    if probing.status is Health.UNHEALTHY and probing.successes < probing.needed:
        return Health.UNHEALTHY
    return Health.DEGRADED if probing.failures else Health.HEALTHY


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times in a row"
