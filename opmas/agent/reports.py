"""What the agent says of itself: health and metrics to the manager, a short status to systemd."""

from __future__ import annotations

import logging

from opmas.agent.health import Health, combined
from opmas.agent.notify import StatusLine

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from opmas.agent.link import Link
    from opmas.agent.notify import Notifier
    from opmas.agent.progress import Progress

logger = logging.getLogger("opmas.agent")

HEALTH_EVERY = 30.0
TOGETHER = 1.0  # seconds; what is due so soon goes along, and wakes the manager once
NEVER = float("inf")


class Reports:
    """Holds the parts of the health and sends what is due; told the time."""

    def __init__(
        self,
        link: Link,
        notifier: Notifier,
        progress: Progress,
        samples: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self._link = link
        self._notifier = notifier
        self._progress = progress
        self._samples = samples
        self._parts: dict[str, Health] = {}
        self._said: dict[str, Any] | None = None
        self._health_at = 0.0
        self._metrics_at = 0.0
        self._status = StatusLine()
        self._status_on = False
        self.metrics_interval = 15.0
        self.pace = 0.0  # seconds; what the manager asks for: no report sooner after another
        self._left_out = 0

    def put(self, part: str, health: Health) -> None:
        """Note the health of one part: of a step, a worker, the configuration."""
        self._parts[part] = health

    def clear(self, part: str) -> None:
        """Note that the part is well again."""
        self._parts.pop(part, None)

    def health(self) -> Health:
        """Return the health of the whole agent."""
        return combined(list(self._parts.values()))

    def ready(self, now: float) -> None:
        """Tell systemd that the agent is up, or through with its new configuration."""
        self._want_status()
        self._notifier.ready(self._status.sent(now))
        self._status_on = True

    def resend(self, now: float) -> None:
        """Have everything sent: this manager knows nothing of the agent yet."""
        self._said = None
        self._health_at = self._metrics_at = now

    def resend_metrics(self, now: float) -> None:
        """Have the metrics sent now."""
        self._metrics_at = now

    def tick(self, now: float) -> None:
        """Send what is due."""
        if self._link.online:
            is_due = now >= min(self._health_at, self._metrics_at)
            soon = now + max(TOGETHER, self.pace / 2) if is_due else now
            self._send_health(now, soon)
            if soon >= self._metrics_at:
                self._metrics_at = now + max(self.metrics_interval, self.pace)
                self._send_metrics()
        if self._status_on:
            self._want_status()
            if now >= self._status.next_at():
                self._notifier.status(self._status.sent(now))

    def next_at(self) -> float:
        """Return when `tick` has something to send."""
        status_at = self._status.next_at() if self._status_on else NEVER
        if not self._link.online:
            return status_at
        return min(status_at, self._health_at, self._metrics_at)

    def _send_health(self, now: float, soon: float) -> None:
        health = self.health().as_dict()
        if health != self._said or soon >= self._health_at:
            self._link.health(health | {"progress": self._advance(now)})
            self._said = health
            self._health_at = now + max(HEALTH_EVERY, self.pace)

    def _advance(self, now: float) -> dict[str, Any]:
        """Return how far the work is; it alone is no reason to send."""
        steps, last_at = self._progress.steps, self._progress.last_at
        return {"steps": steps, "age": None if last_at is None else round(now - last_at, 1)}

    def _send_metrics(self) -> None:
        left_out = self._link.metrics(self._samples())
        if left_out and not self._left_out:
            logger.warning("%d metrics are not sent: the set has more than 64 KiB", left_out)
        self._left_out = left_out

    def _want_status(self) -> None:
        health = self.health()
        text = (
            f"{health.status.value}: {health.message}" if health.message else health.status.value
        )
        self._status.want(health.status.value, text)
