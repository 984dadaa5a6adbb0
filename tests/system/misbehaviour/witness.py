"""What others on the host notice while agents misbehave: the manager's answers, other agents."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.misbehaviour.stage import Stage

MANAGER: Final = "opmas-manager.service"
PERIOD: Final = 0.5  # seconds between two questions on the socket
COMMANDS: Final = 5.0  # and between two commands: each is a Python of its own


class Witness:
    """Asks the manager how it is, again and again, for as long as it is a context."""

    def __init__(self, stage: Stage) -> None:
        self.answers: list[float] = []  # seconds that each took
        self.commands: list[float] = []  # the same of `opmas status`
        self._over = threading.Event()
        asks: tuple[tuple[Callable[[], object], list[float], float], ...] = (
            (stage.status, self.answers, PERIOD),
            # its exit status says that some agents need attention
            (lambda: stage.run("status", check=False), self.commands, COMMANDS),
        )
        self._threads = [threading.Thread(target=self._ask, args=each) for each in asks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, ask: Callable[[], object], times: list[float], period: float) -> None:
        while not self._over.wait(period):
            begin = time.monotonic()
            ask()
            times.append(time.monotonic() - begin)


def identity(stage: Stage, *units: str) -> dict[str, tuple[str, ...]]:
    """Return of each unit what a restart of it would change."""
    names = ("MainPID", "NRestarts", "InvocationID", "ActiveState")
    return {unit: tuple(stage.property(unit, name) for name in names) for unit in units}
