"""A notifier that remembers what the service manager would have been told."""

from __future__ import annotations


class RecordingNotifier:
    """Stands for `opmas.systemd.notify.Notifier`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fed = 0
        self.extended: list[float] = []

    def ready(self) -> None:
        self.told.append("READY")

    def stopping(self) -> None:
        self.told.append("STOPPING")

    def watchdog(self) -> None:
        self.fed += 1

    def extend_timeout(self, seconds: float) -> None:
        self.extended.append(seconds)
