"""The method about the history of a `FakeHost`: what an agent is now, since it is so."""

from __future__ import annotations

from typing import Any

from tests.fakes.limits import LimitMethods

SECONDS = 60.0


class HistoryMethods(LimitMethods):
    """Answers `agent.history`."""

    def agent_history(
        self, name: str, since: str = "", until: str = "", limit: int = 100
    ) -> dict[str, Any]:
        """Answer with one state, the present one."""
        agent = self._agent(name)
        told = {"phase": agent["phase"], "health": agent["health"]}
        state = {
            "at": agent["since"],
            "seconds": SECONDS,
            "reason": agent["reason"],
            "message": agent["message"],
            **told,
        }
        return {
            "name": name,
            "since": since or agent["since"],
            "until": until or agent["since"],
            "availability": 1.0 if agent["health"] == "healthy" else 0.0,
            "known_seconds": SECONDS,
            "durations": [{**told, "seconds": SECONDS}],
            "states": [state][:limit],
            "more": False,
        }
