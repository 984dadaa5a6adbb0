"""The agents of a `FakeHost` and the methods on them: an agent that is started runs at once."""

from __future__ import annotations

from typing import Any, Final

from opmas.core.agent.terms import Desired, check_name, unit_name
from opmas.core.recovery.policy import DEFAULT_POLICY, dump_policy, dump_recovery, parse_recovery
from opmas.errors import (
    AgentExistsError,
    GrantError,
    InvalidError,
    RequestError,
    RevisionError,
    UnknownAgentError,
    UnknownVersionError,
)
from tests.fakes.changes import Change, Emit, Ledger, Move, now
from tests.fakes.packages import LIMITS, PackageMethods

UNITS: Final = {"K": 1024, "M": 1024**2, "G": 1024**3, "%": 1}
CHANGED: Final = {"config": "config", "limits": "own_limits"}  # kind of a change -> member


class AgentMethods(PackageMethods):
    """The methods `agent.*` of a host."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(Ledger(emit))
        self.emit = emit

    def agent_list(self) -> dict[str, Any]:
        """Answer `agent.list`."""
        return {"agents": [without_metrics(self.agents[name]) for name in sorted(self.agents)]}

    def agent_show(self, name: str) -> dict[str, Any]:
        """Answer `agent.show`."""
        return dict(self._agent(name))

    def agent_put(  # noqa: PLR0913, PLR0917 - the wire's own names
        self,
        name: str,
        package: str,
        desired: str = "running",
        config: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        recovery: dict[str, Any] | None = None,
        grants: list[str] | None = None,
        after: list[str] | None = None,
        create_only: bool = False,
        expect: int | None = None,
        author: str = "",
        wait: float = 0,
        version: str | None = None,
        dry_run: bool = False,
        window: int | None = None,
    ) -> dict[str, Any]:
        """Answer `agent.put`."""
        known, found = self.agents.get(check_name(name)), self._package(check_name(package))
        if desired not in list(Desired):
            raise InvalidError("cannot put the agent", ("desired: must be running or stopped",))
        if create_only and known:
            raise AgentExistsError(f'cannot create agent "{name}": it exists already')
        self._check_expected(name, expect)
        missing = [n for n in found["needs"] if n["name"] not in (grants or [])]
        if missing:
            raise GrantError(
                f'cannot create agent "{name}": package "{package}" needs what was not granted',
                tuple(f"{need['name']}: {need['explanation']}" for need in missing),
            )
        if version is not None and version not in self._known(package):
            raise UnknownVersionError(f'cannot find version {version} of package "{package}"')
        stays = known is not None and known["package"] == package
        version = version or (known["version"] if known and stays else found["version"])
        wanted = {
            "package": package,
            "package_version": version,
            "version": version,
            "trust": self._trust(found, version),
            "desired": desired,
            "config": config or {},
            "limits": {**found["limits"], **_sizes(limits or {})},
            "own_limits": _sizes(limits or {}),
            "recovery": {**dump_policy(DEFAULT_POLICY), **_recovery(recovery)},
            "own_recovery": _recovery(recovery),
            "grants": sorted(grants or []),
            "needs": [need["name"] for need in found["needs"]],
            "after": after or [],
        }
        change = self._planned(name, known, wanted, author, window)
        if dry_run:
            return {"plan": change}
        return self._put(known or self._registered(name), wanted, change)

    def agent_update(  # noqa: PLR0913, PLR0917 - the wire's own names
        self,
        name: str,
        version: str | None = None,
        expect: int | None = None,
        dry_run: bool = False,
        window: int | None = None,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `agent.update`: to another version of its package."""
        package = self._agent(name)["package"]
        return self._to_version(
            name, version or self._newest(package), expect, author, window, "update", dry_run
        )

    def agent_rollback(  # noqa: PLR0913, PLR0917 - the wire's own names
        self,
        name: str,
        version: str | None = None,
        expect: int | None = None,
        dry_run: bool = False,
        window: int | None = None,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `agent.rollback`: to the version before."""
        agent = self._agent(name)
        wanted = version or self._before(agent["package"], agent["version"])
        return self._to_version(name, wanted, expect, author, window, "rollback", dry_run)

    def agent_start(self, name: str, wait: float = 0, author: str = "") -> dict[str, Any]:
        """Answer `agent.start`."""
        return self._wish(name, "running")

    def agent_stop(self, name: str, wait: float = 0, author: str = "") -> dict[str, Any]:
        """Answer `agent.stop`."""
        return self._wish(name, "stopped")

    def agent_restart(self, name: str, wait: float = 0, author: str = "") -> dict[str, Any]:
        """Answer `agent.restart`."""
        agent = self._agent(name)
        if agent["phase"] == "running":
            self._move(agent, "stopping", "requested")
            self._move(agent, "stopped", "requested")
        return self._wish(name, "running")

    def agent_remove(
        self,
        name: str,
        purge: bool = False,
        wait: float = 0,
        author: str = "",
        expect: int | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Answer `agent.remove`."""
        agent = self._agent(name)
        self._check_expected(name, expect)
        before = {"package": agent["package"], "version": agent["version"]}
        change = self.ledger.plan(
            "remove",
            f"agent/{name}",
            agents=[name],
            package=agent["package"],
            before=before,
            author=author,
        )

        def remove() -> None:
            self._wish(name, "stopped")
            del self.agents[name]
            self.emit("opmas.agent.removed", f"agent/{name}", package=agent["package"])

        def restore() -> None:
            self.agents[name] = agent

        return {
            "removed": name,
            "change": self._begin(change, Move(remove, restore), dry_run=dry_run),
        }

    def agent_explain(self, name: str) -> dict[str, Any]:
        """Answer `agent.explain`."""
        agent = self._agent(name)
        return {
            "name": name,
            "summary": f"{name} is {agent['phase']}",
            "sentences": [agent["message"]],
            "next": "nothing: it is as wanted",
            "ladder": [],
            "decisions": [],
            "facts": {"desired": agent["desired"], "phase": agent["phase"]},
            "changes": self.ledger.newest(agent=name)[:3],
        }

    def _put(
        self, agent: dict[str, Any], wanted: dict[str, Any], change: Change | None
    ) -> dict[str, Any]:
        name, known = agent["name"], agent["name"] in self.agents
        before = {key: agent[key] for key in wanted if known and agent[key] != wanted[key]}

        def apply() -> None:
            agent["config_version"] += agent["config"] != wanted["config"]
            agent.update(wanted, revision=agent["revision"] + 1, updated_at=now())
            self.agents[name] = agent
            kind = "updated" if known else "created"
            self.emit(f"opmas.agent.{kind}", f"agent/{name}", revision=agent["revision"])
            self._reconcile(agent)

        def undo() -> None:
            if not known:
                del self.agents[name]
                return
            agent.update(before, revision=agent["revision"] + 1, updated_at=now())
            self._reconcile(agent)

        if change is None:
            return {**without_metrics(agent), "change": None}
        self._begin(change, Move(apply, undo))
        # a change that is not carried out yet leaves the agent as it is, a new one nowhere
        shown = without_metrics(agent) if name in self.agents else {"name": name}
        return {**shown, "change": change["id"]}

    def _planned(
        self,
        name: str,
        known: dict[str, Any] | None,
        wanted: dict[str, Any],
        author: str,
        window: int | None,
    ) -> Change | None:
        told = (
            "package", "version", "desired", "config", "own_limits", "own_recovery", "grants",
            "after",
        )  # fmt: skip
        differ = [key for key in told if known is None or known[key] != wanted[key]]
        if not differ:
            return None
        kinds = [kind for kind, member in CHANGED.items() if differ == [member]]
        kind = "update" if differ == ["version"] else next(iter(kinds), "settings")
        shown = {key.removeprefix("own_"): key for key in differ}
        restarts = known is not None and known["phase"] == "running" and kind != "config"
        return self.ledger.plan(
            kind if known else "create",
            f"agent/{name}",
            agents=[name],
            package=wanted["package"],
            before={shorter: known[key] for shorter, key in shown.items()} if known else None,
            after={shorter: wanted[key] for shorter, key in shown.items()},
            author=author,
            window=window,
            restarts=[name] if restarts else [],
        )

    def _to_version(  # noqa: PLR0913, PLR0917 - a change is all of this
        self,
        name: str,
        version: str,
        expect: int | None,
        author: str,
        window: int | None,
        kind: str,
        dry_run: bool,
    ) -> dict[str, Any]:
        package = self._agent(name)["package"]
        self._check_expected(name, expect)
        if version not in self._known(package):
            raise UnknownVersionError(f'cannot find version {version} of package "{package}"')
        if self.agents[name]["version"] == version:
            raise RequestError(f'cannot give agent "{name}" version {version}: it has it already')
        return {"change": self._move_agent(name, version, author, window, kind, dry_run)}

    @staticmethod
    def _trust(package: dict[str, Any], version: str) -> str:
        return next((v["trust"] for v in package["versions"] if v["version"] == version), "key")

    def _check_expected(self, name: str, expect: int | None) -> None:
        if expect is not None and self.agents.get(name, {}).get("revision") != expect:
            raise RevisionError(f'cannot change agent "{name}": it is not at revision {expect}')

    def _wish(self, name: str, desired: str) -> dict[str, Any]:
        agent = self._agent(name)
        agent["desired"] = desired
        self._reconcile(agent)
        return without_metrics(agent)

    def _reconcile(self, agent: dict[str, Any]) -> None:
        if agent["desired"] == "running" and agent["phase"] != "running":
            self._move(agent, "starting", "requested")
            self._move(agent, "running", "ready")
        elif agent["desired"] == "stopped" and agent["phase"] != "stopped":
            self._move(agent, "stopping", "requested")
            self._move(agent, "stopped", "requested")

    def _move(self, agent: dict[str, Any], phase: str, reason: str) -> None:
        runs = phase == "running"
        change = {"from": agent["phase"], "to": phase, "reason": reason}
        agent |= {
            "phase": phase,
            "reason": reason,
            "message": f"it is {phase}",
            "since": now(),
            "health": "healthy" if runs else "unknown",
            "ready": runs,
            "alive": runs,
            "health_facts": [_unit_fact(phase, healthy=runs)],
            "main_pid": 4242 if runs else None,
        }
        self.emit(
            "opmas.agent.phase", f"agent/{agent['name']}", **change, message=agent["message"]
        )

    def _registered(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "unit": unit_name(name),
            "phase": "registered",
            "reason": "created",
            "message": "it was never started",
            "since": now(),
            "health": "unknown",
            "health_message": "",
            "checks": [],
            "ready": False,
            "alive": False,
            "health_facts": [_unit_fact("inactive", healthy=False)],
            "held_by": None,
            "needs_restart": False,
            "main_pid": None,
            "restarts": 0,
            "status_text": "",
            "last_exit": None,
            "config_version": 0,
            "config": None,
            "limits_origin": dict.fromkeys(LIMITS, "package"),
            "limits_cut": {},
            "usage": dict.fromkeys(USAGE),
            "usage_detail": {**dict.fromkeys(DETAIL), "memory_throttled": 0, "oom_kills": 0},
            "metrics": [],
            "change": None,
            "revision": 0,
            "created_at": now(),
            "managed_by": "manager",
        }

    def _agent(self, name: str) -> dict[str, Any]:
        if check_name(name) not in self.agents:
            raise UnknownAgentError(f'cannot find agent "{name}"')
        return self.agents[name]


def _unit_fact(state: str, *, healthy: bool) -> dict[str, Any]:
    return {
        "name": "unit",
        "status": "healthy" if healthy else "unknown",
        "code": state,
        "message": state,
        "source": "systemd",
        "at": now(),
        "age": 0.0,
    }


ONLY_SHOWN: Final = {"metrics", "usage_detail", "health_facts"}
USAGE: Final = ("memory_bytes", "held_bytes", "tasks", "cpu_seconds", "open_files")
DETAIL: Final = (
    "memory_peak_bytes", "memory_throttled", "oom_kills", "memory_pressure", "cpu_pressure",
    "io_pressure", "read_bytes", "written_bytes", "reads", "writes", "open_files_exact",
    "open_files_limit", "received_bytes", "sent_bytes",
)  # fmt: skip


def without_metrics(agent: dict[str, Any]) -> dict[str, Any]:
    """Return the AgentView as all methods but `agent.show` give it."""
    return {key: value for key, value in agent.items() if key not in ONLY_SHOWN}


def _recovery(recovery: dict[str, Any] | None) -> dict[str, Any]:
    return dump_recovery(parse_recovery(recovery or {}))


def _sizes(limits: dict[str, Any]) -> dict[str, int]:
    unknown = [f"limits.{key}: unknown limit" for key in limits if key not in LIMITS]
    if unknown:
        raise InvalidError("cannot put the agent: its limits are wrong", tuple(unknown))
    return {key: _size(value) for key, value in limits.items()}


def _size(value: str | int) -> int:
    text = str(value)
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)
