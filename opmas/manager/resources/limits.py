"""The limits that apply to agents, for many who ask often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.core.resources.limits import NO_LIMITS, resolve

if TYPE_CHECKING:
    from opmas.core.agent.terms import AgentSpec, Limits
    from opmas.core.resources.limits import HostLimits, Resolved
    from opmas.packages.collection import Packages

KEPT: Final = 1000  # of agents that each have their own


class LimitsOf:
    """Resolves limits, the same only once."""

    def __init__(self, packages: Packages, host: HostLimits) -> None:
        self.host = host
        self._packages = packages
        self._known: dict[tuple[Limits, Limits], Resolved] = {}

    def resolved(self, spec: AgentSpec) -> Resolved:
        """Return what applies to the agent, and who set each limit."""
        package = self._packages.of(spec)
        key = (spec.limits, NO_LIMITS if package is None else package.manifest.limits)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = self._known[key] = resolve(*key, self.host)
        return found

    def limits(self, spec: AgentSpec) -> Limits:
        """Return the limits that apply to the agent."""
        return self.resolved(spec).limits

    def declared(self, spec: AgentSpec) -> Limits:
        """Return the limits that it would have without any of its own."""
        package = self._packages.of(spec)
        return resolve(
            NO_LIMITS, NO_LIMITS if package is None else package.manifest.limits, self.host
        ).limits
