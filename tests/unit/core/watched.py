"""An agent that is changed and watched, second by second, as the engine does it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opmas.core.agent.terms import Health, Phase, Reason
from opmas.core.change.evidence import (
    Baseline,
    Sighting,
    Surroundings,
    begin,
    dump_watch,
    load_watch,
    take,
)
from opmas.core.change.verdict import Decision, judge

if TYPE_CHECKING:
    from opmas.core.change.verdict import Cause, Verdict

MIB = 2**20
QUIET = Surroundings()
BEFORE = Baseline(
    up_seconds=3600.0, cpu_rate=0.05, memory_bytes=20 * MIB, progress_per_minute=60.0
)


class Watched:
    """One agent of a change. What happens takes no time; `lives` lets time pass."""

    def __init__(self, baseline: Baseline = BEFORE, window: float = 60.0, **began: Any) -> None:
        self.window = window
        self.around = QUIET
        self.changed_at = 1000.0
        self.now = Sighting(
            at=self.changed_at,
            phase=Phase.STOPPED,
            reason=Reason.CHANGE,
            memory_max=256 * MIB,
            errors=0,
        )
        self.now = replace(self.now, **began)
        self.watch = begin(baseline, self.now)
        self.restarts_manager = False
        self.verdict: Verdict | None = None
        self.decided_at: float | None = None
        self._runs = 0
        self._exits = 0

    @property
    def elapsed(self) -> float:
        return self.now.at - self.changed_at

    @property
    def decision(self) -> Decision | None:
        return None if self.verdict is None else self.verdict.decision

    @property
    def cause(self) -> Cause | None:
        return None if self.verdict is None else self.verdict.cause

    def starts(self) -> Watched:
        self._runs += 1
        return self._is(
            phase=Phase.STARTING,
            reason=Reason.REQUESTED,
            invocation=f"run-{self._runs}",
            health=Health.UNKNOWN,
            cpu_seconds=0.0,
            memory_bytes=MIB,
            oom_kills=0,
            throttled=0,
            progress=0,
        )

    def comes_up(self) -> Watched:
        return self._is(phase=Phase.RUNNING, reason=Reason.READY, health=Health.HEALTHY)

    def started(self) -> Watched:
        """It is started, and up two seconds later."""
        return self.starts().lives(2).comes_up()

    def exits(self, status: int = 1, code: str = "exited", result: str = "exit-code") -> Watched:
        """It ends by itself, and systemd starts it again at once."""
        self._exits += 1
        self._is(exit_at=float(self._exits), exit_status=status, exit_code=code, result=result)
        restarts = self.now.restarts + 1
        self.starts()
        return self._is(reason=Reason.AUTO_RESTART, restarts=restarts)

    def is_killed(self, signal: int = 9, result: str = "signal") -> Watched:
        return self.exits(signal, "killed", result)

    def crashes(self) -> Watched:
        return self.exits(11, "dumped", "core-dump")

    def is_given_up(
        self, reason: Reason = Reason.CRASHED, phase: Phase = Phase.BACKOFF
    ) -> Watched:
        return self._is(phase=phase, reason=reason, health=Health.UNKNOWN)

    def is_told_to_stop(self, reason: Reason = Reason.REQUESTED) -> Watched:
        return self._is(phase=Phase.STOPPING, reason=reason, health=Health.UNKNOWN)

    def says(self, health: Health, *codes: str) -> Watched:
        return self._is(health=health, codes=codes)

    def has(self, **changes: Any) -> Watched:
        return self._is(**changes)

    def lives(
        self,
        seconds: int,
        cpu: float = 0.05,
        memory: float = 0.0,
        errors: float = 0.0,
        throttled: int = 0,
        progress: int = 1,
    ) -> Watched:
        """Time passes; with what it does in each second, memory in MiB."""
        for _ in range(seconds):
            if self.decision in {Decision.KEEP, Decision.UNDO}:
                break
            now = self.now
            held = None if now.memory_bytes is None else now.memory_bytes + int(memory * MIB)
            spent = now.cpu_seconds
            self._set(
                at=now.at + 1,
                cpu_seconds=None if spent is None else spent + cpu,
                memory_bytes=held,
                errors=None if now.errors is None else now.errors + errors,
                throttled=None if now.throttled is None else now.throttled + throttled,
                progress=None if now.progress is None else now.progress + progress,
            )
        return self

    def to_the_end(self, **how: Any) -> Watched:
        return self.lives(int(self.window - self.elapsed) + 1, **how)

    def _is(self, **changes: Any) -> Watched:
        moved = {"phase", "reason"} & {k for k, v in changes.items() if v != getattr(self.now, k)}
        return self._set(**{**({"since": self.now.at} if moved else {}), **changes})

    def _set(self, **changes: Any) -> Watched:
        self.now = replace(self.now, **changes)
        if self.decision in {Decision.KEEP, Decision.UNDO}:
            return self
        self.watch = take(self.watch, self.now, self.around)
        if self.restarts_manager:
            self.watch = load_watch(json.loads(json.dumps(dump_watch(self.watch))))
        self.verdict = judge(
            self.watch, self.now, self.around, elapsed=self.elapsed, window=self.window
        )
        if self.verdict.decision is not Decision.WATCH:
            self.decided_at = self.elapsed
        return self
