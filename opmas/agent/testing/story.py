"""What happened to an agent under test, told when a test fails."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.agent.testing.observation import Observation

EVENTS: Final = 10
LINES: Final = 30


def tell(agent: Observation) -> str:
    """Return, in a few lines, how the agent is and what it said."""
    unit = agent.process.unit
    parts = [f"the unit: {_state(agent)}, status {unit.status!r}"]
    parts.append(f"its health: {agent.newest_health or 'not said'}")
    parts += _listed("its events", [str(event) for event in agent.events], EVENTS)
    parts += _listed("what systemd did not listen to", agent.ignored, EVENTS)
    parts += _listed("what the manager refused", agent.refused, EVENTS)
    parts += _listed("its log", agent.log.splitlines(), LINES)
    return "\n".join(parts)


def exit_text(code: int) -> str:
    """Return how a process ended, from its exit code."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"


def _state(agent: Observation) -> str:
    process = agent.process
    if process.exit_code is None:
        return process.unit.state
    barked = ": its watchdog was not fed" if process.barked else ""
    return f"{exit_text(process.exit_code)}{barked}"


def _listed(title: str, lines: Iterable[str], limit: int) -> list[str]:
    lines = list(lines)
    if not lines:
        return []
    dropped = len(lines) - limit
    more = f" (the last {limit} of {len(lines)})" if dropped > 0 else ""
    return [f"{title}{more}:", *(f"  {line}" for line in lines[-limit:])]
