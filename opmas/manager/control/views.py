"""What the outside is told of agents and packages: the documents of docs/reference/json.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.explain import message
from opmas.core.agent.state import LIVE, health
from opmas.core.agent.terms import Limits, unit_name
from opmas.core.change.knownbad import key
from opmas.core.change.ledger import of_agent
from opmas.core.package.needs import needs_of
from opmas.core.recovery.alerts import Severity, listed
from opmas.core.recovery.context import policy_of
from opmas.core.recovery.decided import dump_decided
from opmas.core.recovery.policy import dump_policy, dump_recovery
from opmas.core.unit.exits import code_name, signal_of
from opmas.manager.clock import Clock, rfc3339
from opmas.manager.control.discretion import Discretion

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent
    from opmas.core.recovery.policy import Policy
    from opmas.core.resources.usage import Sample
    from opmas.core.unit.state import UnitState
    from opmas.manager.agents.files import AgentFiles
    from opmas.manager.agents.link import AgentLinks
    from opmas.manager.control.healthviews import HealthViews
    from opmas.manager.resources.metering import Metering
    from opmas.manager.state.writer import Writer
    from opmas.packages.catalogue import Package
    from opmas.packages.collection import Packages

NO_LIMITS: Final = Limits()
POLICIES_KEPT: Final = 1000  # of agents that each have their own
UNUSED: Final = dict.fromkeys(
    ("memory_bytes", "held_bytes", "tasks", "cpu_seconds", "open_files"), None
)


class Views:
    """Makes the documents from what the manager knows."""

    def __init__(  # noqa: PLR0913 -- what is told comes from many
        self,
        writer: Writer,
        packages: Packages,
        links: AgentLinks,
        files: AgentFiles,
        clock: Clock,
        *,
        metering: Metering,
        health: HealthViews,
    ) -> None:
        self._writer = writer
        self._packages = packages
        self._links = links
        self._files = files
        self._clock = clock
        self.discretion = Discretion(packages)
        self._metering = metering
        self._health = health
        # What is the same for most agents, made once: a list has it for each.
        self._policies: dict[Policy, dict[str, Any]] = {}
        self._needs: dict[str, tuple[Package, list[str]]] = {}

    def agent(self, agent: Agent) -> dict[str, Any]:
        """Return the AgentView."""
        package = self._packages.of(agent.spec)
        record = self._writer.saver.records[agent.name]
        return {
            **self._identity(agent, package),
            **self._condition(agent),
            "needs_restart": self.needs_restart(agent, package),
            "config_version": record.config_version,
            "config": self.discretion.config(agent.spec.config, agent.spec.package),
            **self._limits(agent),
            "own_limits": _set_only(agent.spec.limits),
            "recovery": self._policy(agent),
            "own_recovery": dump_recovery(agent.spec.recovery),
            "grants": list(agent.spec.grants),
            "needs": [] if package is None else self._need_names(package),
            "after": list(agent.spec.after),
            "usage": _usage(self._metering.usages.of(agent)),
            "revision": record.revision,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "managed_by": "manager",
            "change": None
            if (change := of_agent(self._writer.roster, agent.name)) is None
            else change.id,
        }

    def agent_whole(self, agent: Agent) -> dict[str, Any]:
        """Return the AgentView with what it uses now, what its health rests on, its metrics."""
        sample = self._metering.usages.fresh(agent)
        return {
            **self.agent(agent),
            "usage": _usage(sample),
            "usage_detail": _detail(sample),
            "metrics": self._links.heard(agent.name).metrics,
            "health_facts": self._health.facts(agent),
        }

    async def agent_shown(self, agent: Agent) -> dict[str, Any]:
        """Return the same with what only systemd counts: bytes of the network."""
        view = self.agent_whole(agent)
        moved = await self._metering.usages.network(agent)
        if moved is not None and view["usage_detail"] is not None:
            view["usage_detail"] |= {"received_bytes": moved[0], "sent_bytes": moved[1]}
        return view

    def decisions(self, agent: Agent) -> list[dict[str, Any]]:
        """Return what the ladder decided last about the agent, the newest first."""
        return [
            {**dump_decided(each), "at": _time(each.at), "facts": list(each.facts)}
            for each in reversed(agent.decisions)
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are up, what matters most first."""
        return [{**a.dump(), "since": _time(a.since)} for a in listed(self._writer.roster)]

    def alert_counts(self) -> dict[str, int]:
        """Return how many alerts are up, by severity."""
        counts = Counter(str(a.severity) for a in listed(self._writer.roster))
        return {str(severity): counts[severity] for severity in Severity}

    def package(self, package: Package) -> dict[str, Any]:
        """Return the PackageView."""
        manifest = package.manifest
        needs = [{"name": n.name, "explanation": n.explanation} for n in needs_of(manifest)]
        agents = self._writer.roster.agents.values()
        return {
            "name": package.name,
            "version": package.version,
            "summary": manifest.summary,
            "runtime": str(manifest.runtime),
            "source": package.source,
            "deb": package.deb,
            "path": package.directory,
            "needs": needs,
            "limits": asdict(manifest.limits),
            "agents": sorted(a.name for a in agents if a.spec.package == package.name),
            "state": "ready",
            "versions": [self._version(p) for p in self._packages.versions(package.name)],
            "held": package.name in self._writer.roster.holds,
            "requires": list(manifest.requires),
            "wants": list(manifest.wants),
            "conflicts": list(manifest.conflicts),
        }

    def _version(self, package: Package) -> dict[str, Any]:
        receipt = package.receipt
        roster = self._writer.roster
        bad = roster.bad.get(key(package.name, package.version))
        agents = roster.agents.values()
        return {
            "version": package.version,
            "source": package.source,
            "trust": _trust(package),
            "key": "" if receipt is None else receipt.key,
            "delivered_by": "" if receipt is None else receipt.delivered_by,
            "installed_at": None if receipt is None else receipt.installed_at,
            "bytes": None if receipt is None else receipt.bytes,
            "agents": sorted(a.name for a in agents if self._packages.of(a.spec) is package),
            "bad_until": None if bad is None else rfc3339(datetime.fromtimestamp(bad.until, UTC)),
        }

    def needs_restart(self, agent: Agent, package: Package | None) -> bool:
        """Return whether the run was started with something else than a start would use now."""
        if package is None or agent.phase not in LIVE or not agent.started_with:
            return False
        return self._files.digest(agent.spec, package) != agent.started_with

    def _identity(self, agent: Agent, package: Package | None) -> dict[str, Any]:
        return {
            "name": agent.name,
            "package": agent.spec.package,
            "package_version": None if package is None else package.version,
            "version": agent.spec.version or None,
            "trust": None if package is None else _trust(package),
            "unit": unit_name(agent.name),
        }

    def _condition(self, agent: Agent) -> dict[str, Any]:
        report = health(agent)
        unit = agent.unit
        error = self._links.heard(agent.name).config_error
        refused = f"; it refused its configuration: {error}" if error else ""
        return {
            "desired": str(agent.spec.desired),
            "phase": str(agent.phase),
            "reason": str(agent.reason),
            "message": message(agent) + refused,
            "since": rfc3339(self._clock.at(agent.since)),
            "health": str(report.status),
            "health_message": report.message,
            "checks": [asdict(check) for check in report.checks],
            **self._health.brief(agent),
            "held_by": "systemctl" if agent.held else None,
            "main_pid": None if unit is None else unit.main_pid or None,
            "restarts": 0 if unit is None else unit.n_restarts,
            "status_text": "" if unit is None else unit.status_text,
            "last_exit": None if agent.last_exit is None else _exit(agent.last_exit),
        }

    def _limits(self, agent: Agent) -> dict[str, Any]:
        resolved = self._metering.limits.resolved(agent.spec)
        return {
            "limits": asdict(resolved.limits),
            "limits_origin": self._metering.learner.origins(agent.spec),
            "limits_cut": dict(resolved.wanted),
        }

    def _policy(self, agent: Agent) -> dict[str, Any]:
        policy = policy_of(self._writer.roster, agent.spec)
        found = self._policies.get(policy)
        if found is None:
            if len(self._policies) >= POLICIES_KEPT:
                self._policies.clear()
            found = self._policies[policy] = dump_policy(policy)
        return found

    def _need_names(self, package: Package) -> list[str]:
        known = self._needs.get(package.name)
        if known is None or known[0] is not package:
            known = (package, [need.name for need in needs_of(package.manifest)])
            self._needs[package.name] = known
        return known[1]


def _time(seconds: float) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def _trust(package: Package) -> str:
    if package.deb:
        return "dpkg"
    return "" if package.receipt is None else str(package.receipt.trust)


def _set_only(limits: Limits) -> dict[str, int]:
    if limits == NO_LIMITS:
        return {}
    return {name: value for name, value in asdict(limits).items() if value is not None}


def _usage(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        return UNUSED
    files = None if sample.detail is None else sample.detail.descriptors
    return {
        "memory_bytes": sample.memory_bytes,
        "held_bytes": sample.held_bytes,
        "tasks": sample.tasks,
        "cpu_seconds": sample.cpu_seconds,
        "open_files": None if files is None else files.count,
    }


def _detail(sample: Sample | None) -> dict[str, Any] | None:
    detail = None if sample is None else sample.detail
    if detail is None:
        return None
    files = detail.descriptors
    return {
        "memory_peak_bytes": detail.peak_bytes,
        "memory_throttled": detail.throttled,
        "oom_kills": detail.oom_kills,
        "memory_pressure": detail.memory_pressure,
        "cpu_pressure": detail.cpu_pressure,
        "io_pressure": detail.io_pressure,
        "read_bytes": detail.read_bytes,
        "written_bytes": detail.written_bytes,
        "reads": detail.reads,
        "writes": detail.writes,
        "open_files_exact": None if files is None else files.exact,
        "open_files_limit": None if files is None else files.limit,
        "received_bytes": None,
        "sent_bytes": None,
    }


def _exit(unit: UnitState) -> dict[str, Any]:
    return {
        "code": code_name(unit),
        "status": unit.exec_main_status,
        "signal": signal_of(unit),
        "result": unit.result,
        "at": rfc3339(datetime.fromtimestamp(unit.exec_main_exit_at, UTC)),
    }
