"""A host in memory: agents, packages and an event log, with the manager's methods on them.

It answers like the manager does but runs nothing: an agent that is started runs at once. Tests
make the surprises (`crash`, `emit`). One lock guards everything; `changed` wakes long-polls.
"""

from __future__ import annotations

import inspect
import threading
import time
from datetime import UTC, datetime
from typing import Any, Final

from opmas.core.agent import Desired, check_name, unit_name
from opmas.errors import (
    AgentExistsError,
    GrantError,
    InvalidError,
    RevisionError,
    UnknownAgentError,
    UnknownPackageError,
)

PAGE: Final = 1000  # events in one answer, at most
LONGEST_WAIT: Final = 60.0  # seconds
UNITS: Final = {"K": 1024, "M": 1024**2, "G": 1024**3, "%": 1}
LIMITS: Final = {
    "memory_max": 64 * 1024**2,
    "memory_high": 48 * 1024**2,
    "tasks_max": 16,
    "cpu_quota": 20,
    "cpu_weight": 50,
}
NO_LIMITS: Final = dict.fromkeys(LIMITS)


def package(name: str, *needs: str, version: str = "1.0.0") -> dict[str, Any]:
    """Return a PackageView without its agents."""
    return {
        "name": name,
        "version": version,
        "summary": f"the {name} package",
        "runtime": "python",
        "source": "deb",
        "deb": f"opmas-agent-{name}",
        "path": f"/usr/lib/opmas/agents/{name}",
        "needs": [{"name": n, "explanation": f"it may use {n}"} for n in needs],
        "limits": dict(LIMITS),
        "state": "ready",
    }


class FakeHost:
    """The state behind a `FakeManager`; give it to the next one to mimic a restart."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.packages = {
            p["name"]: p
            for p in (package("demo"), package("hostwatch", "network=observe", "proc=host"))
        }
        self.agents: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.sequence = 0
        self.started_at = _now()

    def emit(self, event_type: str, subject: str = "host", **data: Any) -> int:
        """Append an event to the log and return its sequence."""
        with self.changed:
            self.sequence += 1
            event = {
                "specversion": "1.0",
                "id": str(self.sequence),
                "source": "/hosts/fake",
                "type": event_type,
                "subject": subject,
                "time": _now(),
                "sequence": self.sequence,
                "datacontenttype": "application/json",
                "data": data,
            }
            self.events.append(event)
            self.changed.notify_all()
            return self.sequence

    def crash(self, name: str) -> None:
        """Kill the agent with SIGKILL; it runs again at once, as systemd would have it."""
        with self.changed:
            agent = self._agent(name)
            end = {"code": "killed", "status": 9, "signal": "SIGKILL", "result": "signal"}
            self.emit("opmas.agent.exited", f"agent/{name}", **end, main_pid=agent["main_pid"])
            agent["last_exit"] = {**end, "at": _now()}
            agent["restarts"] += 1
            self._move(agent, "starting", "auto-restart")
            self._move(agent, "running", "ready")

    def host_status(self) -> dict[str, Any]:
        """Answer `host.status`."""
        agents = self.agents.values()
        return {
            "version": "0.1.0",
            "host": "fake",
            "started_at": self.started_at,
            "boot_id": "00000000000000000000000000000000",
            "state": "ok",
            "problems": [],
            "systemd": {"version": "252 (252.39-1~deb12u2)", "connection": "private"},
            "agents": {
                "total": len(agents),
                "phases": _counted(agent["phase"] for agent in agents),
                "health": _counted(agent["health"] for agent in agents),
            },
            "packages": len(self.packages),
            "events": {
                "first": self.events[0]["sequence"] if self.events else 0,
                "last": self.sequence,
            },
            "memory_bytes": 30 * 1024**2,
        }

    def agent_list(self) -> dict[str, Any]:
        """Answer `agent.list`."""
        return {"agents": [_without_metrics(self.agents[name]) for name in sorted(self.agents)]}

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
        grants: list[str] | None = None,
        after: list[str] | None = None,
        create_only: bool = False,
        expect: int | None = None,
        author: str = "",
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `agent.put`."""
        known, found = self.agents.get(check_name(name)), self._package(check_name(package))
        if desired not in list(Desired):
            raise InvalidError("cannot put the agent", ("desired: must be running or stopped",))
        if create_only and known:
            raise AgentExistsError(f'cannot create agent "{name}": it exists already')
        if expect is not None and (known or {}).get("revision") != expect:
            raise RevisionError(f'cannot change agent "{name}": it is not at revision {expect}')
        missing = [n for n in found["needs"] if n["name"] not in (grants or [])]
        if missing:
            raise GrantError(
                f'cannot create agent "{name}": package "{package}" needs what was not granted',
                tuple(f"{need['name']}: {need['explanation']}" for need in missing),
            )
        agent = known or self._registered(name)
        agent |= {
            "package": package,
            "package_version": found["version"],
            "desired": desired,
            "config": config or {},
            "config_version": agent["config_version"] + (agent["config"] != (config or {})),
            "limits": {**found["limits"], **_sizes(limits or {})},
            "own_limits": _sizes(limits or {}),
            "grants": sorted(grants or []),
            "needs": [need["name"] for need in found["needs"]],
            "after": after or [],
            "revision": agent["revision"] + 1,
            "updated_at": _now(),
        }
        self.agents[name] = agent
        kind = "updated" if known else "created"
        self.emit(f"opmas.agent.{kind}", f"agent/{name}", revision=agent["revision"])
        self._reconcile(agent)
        return _without_metrics(agent)

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
    ) -> dict[str, Any]:
        """Answer `agent.remove`."""
        agent = self._agent(name)
        self._wish(name, "stopped")
        del self.agents[name]
        self.emit("opmas.agent.removed", f"agent/{name}", package=agent["package"])
        return {"removed": name}

    def agent_explain(self, name: str) -> dict[str, Any]:
        """Answer `agent.explain`."""
        agent = self._agent(name)
        return {
            "name": name,
            "summary": f"{name} is {agent['phase']}",
            "sentences": [agent["message"]],
            "next": "nothing: it is as wanted",
            "facts": {"desired": agent["desired"], "phase": agent["phase"]},
        }

    def package_list(self) -> dict[str, Any]:
        """Answer `package.list`."""
        return {"packages": [self._package_view(name) for name in sorted(self.packages)]}

    def package_show(self, name: str) -> dict[str, Any]:
        """Answer `package.show`."""
        manifest = {"api": "opmas.agent/v1", "name": name, "version": "1.0.0"}
        return {**self._package_view(self._package(name)["name"]), "manifest": manifest}

    def package_scan(self) -> dict[str, Any]:
        """Answer `package.scan`: nothing ever changes here."""
        return {"added": [], "changed": [], "removed": [], "refused": []}

    def event_list(
        self,
        after: int | None = None,
        limit: int = 100,
        wait: float = 0,
        agent: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        since: str | None = None,
    ) -> dict[str, Any]:
        """Answer `event.list`; with `wait`, as soon as an event is there."""
        deadline = time.monotonic() + min(wait, LONGEST_WAIT)
        limit = min(limit, PAGE)

        def fitting() -> list[dict[str, Any]]:
            return [
                event
                for event in self.events
                if event["sequence"] > (after or 0)
                and agent in {None, event["subject"].removeprefix("agent/")}
                and type in {None, event["type"]}
                and event["time"] >= (since or "")
            ]

        with self.changed:
            while not (found := fitting()) and (left := deadline - time.monotonic()) > 0:
                self.changed.wait(left)
            last = max(self.sequence, after or 0)
            if after is None and since is None:
                return {"events": found[-limit:], "last": last}
            if len(found) > limit:
                found, last = found[:limit], found[limit - 1]["sequence"]
            return {"events": found, "last": last}

    def _wish(self, name: str, desired: str) -> dict[str, Any]:
        agent = self._agent(name)
        agent["desired"] = desired
        self._reconcile(agent)
        return _without_metrics(agent)

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
            "since": _now(),
            "health": "healthy" if runs else "unknown",
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
            "since": _now(),
            "health": "unknown",
            "health_message": "",
            "checks": [],
            "held_by": None,
            "needs_restart": False,
            "main_pid": None,
            "restarts": 0,
            "status_text": "",
            "last_exit": None,
            "config_version": 0,
            "config": None,
            "usage": {"memory_bytes": None, "tasks": None, "cpu_seconds": None},
            "metrics": [],
            "revision": 0,
            "created_at": _now(),
            "managed_by": "manager",
        }

    def _agent(self, name: str) -> dict[str, Any]:
        if check_name(name) not in self.agents:
            raise UnknownAgentError(f'cannot find agent "{name}"')
        return self.agents[name]

    def _package(self, name: str) -> dict[str, Any]:
        if name not in self.packages:
            raise UnknownPackageError(f'cannot find agent package "{name}"')
        return self.packages[name]

    def _package_view(self, name: str) -> dict[str, Any]:
        users = sorted(a["name"] for a in self.agents.values() if a["package"] == name)
        return {**self.packages[name], "agents": users}


def answer(host: FakeHost, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of the manager's method, or raise `OpmasError` or `LookupError`."""
    verb = getattr(host, method.replace(".", "_"), None)
    if verb is None or "." not in method:
        raise LookupError(method)
    try:
        inspect.signature(verb).bind(**params)
    except TypeError as error:
        raise InvalidError(f"cannot use this request: {error}") from error
    if method == "event.list":  # waits, and lets go of the lock while it does
        return dict(verb(**params))
    with host.changed:
        return dict(verb(**params))


def _without_metrics(agent: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in agent.items() if key != "metrics"}


def _sizes(limits: dict[str, Any]) -> dict[str, int]:
    unknown = [f"limits.{key}: unknown limit" for key in limits if key not in LIMITS]
    if unknown:
        raise InvalidError("cannot put the agent: its limits are wrong", tuple(unknown))
    return {key: _size(value) for key, value in limits.items()}


def _size(value: str | int) -> int:
    text = str(value)
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def _counted(values: Any) -> dict[str, int]:
    found = list(values)
    return {value: found.count(value) for value in sorted(set(found))}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
