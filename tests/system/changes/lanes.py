"""Lanes: one subject each, changed again and again, with a kill at each step of each change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.changes.blows import Killer
    from tests.system.changes.site import Site

TRIES: Final = 10  # of one step: a kill for another agent may lead a change past it


@dataclass
class Operation:
    """A change that can be asked for again; it returns when all is as it should be after it.

    With `beginning`, only the steps from that one on are aimed at: those before are another's.
    """

    does: Callable[[], None]
    beginning: str = ""
    steps: list[str] = field(default_factory=list)
    tries: int = 0


@dataclass
class Lane:
    """One subject; `turn` says which operation fits it as it is now."""

    site: Site
    subject: str
    operations: tuple[Operation, ...] = ()
    turn: Callable[[], int] = lambda: 0
    changes: list[int] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def change(self, method: str, *ends: str, **params: Any) -> dict[str, Any]:
        """Have something changed, and return the change when it has ended in one of these ways."""
        number = self.site.change(method, **params)
        self.changes.append(number)
        change = self.site.ended(number)
        if change["state"] not in ends:
            story = self.site.story(self.subject)
            raise AssertionError(f"{change['state']}, not one of {ends}: {change}\n{story}")
        return change

    def __str__(self) -> str:
        return f"{self.subject}: {len(self.changes)} changes, hit {self.hits}, not {self.missed}"

    def learn(self, killer: Killer) -> None:
        """Do each operation undisturbed, and remember its steps."""
        for _ in self.operations:
            operation = self.operations[self.turn()]
            killer.aim(self.subject, "")
            operation.does()
            steps = list(dict.fromkeys(killer.seen(self.subject)[0]))
            operation.steps = steps[steps.index(operation.beginning or steps[0]) :]

    def sweep(self, killer: Killer) -> None:
        """Do each operation once for each of its steps, with a kill there."""
        while any(operation.steps for operation in self.operations):
            operation = self.operations[self.turn()]
            step = operation.steps[0] if operation.steps else ""
            killer.aim(self.subject, step)
            operation.does()
            operation.tries += 1
            if killer.seen(self.subject)[1]:
                self.hits.append(step)
            elif not step or operation.tries < TRIES:
                continue
            else:
                self.missed.append(step)
            operation.steps.pop(0)
            operation.tries = 0
