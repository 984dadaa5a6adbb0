"""How well an agent does: what it says itself, and what its probe finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from opmas.core.agent import Health


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of an agent; `code` is for programs, `message` for people."""

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


@dataclass(frozen=True, slots=True)
class Probing:
    """The results of a probe in a row; an agent is unhealthy after `threshold` failures."""

    threshold: int
    failures: int = 0

    def after(self, *, passed: bool) -> Probing:
        """Return the probing after one more result."""
        return replace(self, failures=0 if passed else self.failures + 1)

    def report(self, hint: str) -> Report:
        """Return the health that the results give; `hint` says where to read more."""
        if self.failures == 0:
            return HEALTHY
        times = "once" if self.failures == 1 else f"{self.failures} times in a row"
        message = f"the health check failed {times}: {hint}"
        below = self.failures < self.threshold
        return Report(Health.DEGRADED if below else Health.UNHEALTHY, message)
