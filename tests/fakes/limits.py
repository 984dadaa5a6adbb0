"""The methods about limits of a `FakeHost`; a test says in `proposals` what is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.errors import RequestError
from tests.fakes.agents import AgentMethods

if TYPE_CHECKING:
    from tests.fakes.changes import Emit


class LimitMethods(AgentMethods):
    """Answers `limits.*`."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(emit)
        self.proposals: dict[str, dict[str, int]] = {}

    def limits_list(self) -> dict[str, Any]:
        """Answer `limits.list`."""
        return {"agents": [self.limits_show(name) for name in sorted(self.agents)]}

    def limits_show(self, name: str) -> dict[str, Any]:
        """Answer `limits.show`."""
        agent = self._agent(name)
        return {
            "name": name,
            "mode": "propose",
            "limits": agent["limits"],
            "limits_origin": agent["limits_origin"],
            "limits_cut": agent["limits_cut"],
            "used": {"memory_bytes": None, "tasks": None},
            "learned": {
                "hours": 0.0,
                "enough": name in self.proposals,
                "memory_bytes": None,
                "tasks": None,
                "cpu_percent": None,
            },
            "proposed": self.proposals.get(name, {}),
            "signs": [],
        }

    def limits_apply(
        self,
        name: str,
        expect: int | None = None,
        dry_run: bool = False,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `limits.apply`."""
        agent, proposed = self._agent(name), self.proposals.get(name)
        if not proposed:
            raise RequestError(f'cannot apply limits to agent "{name}": none are proposed')
        same = {key: agent[key] for key in ("package", "config", "grants", "after")}
        limits = {**agent["own_limits"], **proposed}
        answer = self.agent_put(
            name, **same, limits=limits, expect=expect, dry_run=dry_run, author=author
        )
        if dry_run:
            return {"change": answer["plan"]}
        return {"change": self.ledger.get(answer["change"])}
