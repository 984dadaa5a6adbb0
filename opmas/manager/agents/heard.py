"""What an agent last said of itself, beside its health, and how much it may say now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opmas.core.health.report import Report
    from opmas.core.health.vitals import Advance

RATE: Final = 50.0  # messages a second that an agent may send for long
BURST: Final = 200.0


@dataclass(slots=True)
class Heard:
    """What an agent last said of itself, beside its health."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    reported: Report | None = None  # as the core was told last
    reported_at: float | None = None
    advance: Advance | None = None
    silent: bool = False  # connected, and has not said for long how it does
    config_error: str = ""
    errors: int = 0  # events of severity error, ever
    refused_at: float = float("-inf")
    tokens: float = BURST  # how many messages are read now; of the agent, not of a connection
    refilled_at: float = float("-inf")

    def refill(self, now: float) -> None:
        """Let the agent speak for the time that went by."""
        self.tokens = min(BURST, self.tokens + (now - self.refilled_at) * RATE)
        self.refilled_at = now

    def wait(self) -> float:
        """Return the seconds until the agent may say one more thing."""
        return max(0.0, (1 - self.tokens) / RATE)
