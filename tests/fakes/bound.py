"""`FakeUnits` with `BindsTo=` and `After=` of agents, as docs/adr/0008 has them measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.units import UP, FakeUnits, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class BoundUnits(FakeUnits):
    """`bind` says which agent cannot be up without which other."""

    def __init__(self) -> None:
        super().__init__()
        self._needs: dict[str, tuple[str, ...]] = {}

    def bind(self, name: str, *others: str) -> None:
        """Let the agent be bound to the others."""
        self._needs[unit_of(name)] = tuple(map(unit_of, others))

    def _start(self, unit: str) -> int:
        down = [need for need in self._needs.get(unit, ()) if not self._is_up(need)]
        if not down:
            return super()._start(unit)
        self._check_startable(unit, "start")
        for need in down:  # it is started too, behind the manager's back
            self._start(need)
        job = self._new_job()
        self._later(unit, 0.005, lambda: self._go_on(unit, job))
        return job

    def _go_on(self, unit: str, job: int) -> None:
        needs = self._needs[unit]
        if all(self._is_up(need) for need in needs):
            self._run(unit, job)
        elif any(self._comes_up(need) for need in needs):
            self._later(unit, 0.005, lambda: self._go_on(unit, job))
        else:
            self._tell(unit, {"job_id": job})
            self._finish(unit, job, "dependency")
            self._unload(unit)

    def _end(self, unit: str, code: int, status: int, result: str) -> None:
        super()._end(unit, code, status, result)
        self._stop_bound(unit)

    def _stop(self, unit: str) -> int:
        self._stop_bound(unit)  # those first
        return super()._stop(unit)

    def _stop_bound(self, unit: str) -> None:
        for bound in self._bound(unit):
            if self._is_up(bound) or self._comes_up(bound):
                self._stop(bound)

    def _bound(self, unit: str) -> Iterator[str]:
        return (bound for bound, needs in self._needs.items() if unit in needs)

    def _is_up(self, unit: str) -> bool:
        return self._state(unit).active_state in UP

    def _comes_up(self, unit: str) -> bool:
        return self._state(unit).active_state == "activating"
