"""A host in memory: agents, packages and an event log, with the manager's methods on them.

It answers like the manager does but runs nothing: an agent that is started runs at once. Tests
make the surprises (`crash`, `emit`). One lock guards everything; `changed` wakes long-polls.
"""

from __future__ import annotations

import copy
import inspect
import threading
import time
from typing import Any, Final

from opmas.core.agent.terms import check_name
from opmas.errors import InvalidError, RequestError
from tests.fakes.changes import FINAL, now
from tests.fakes.history import HistoryMethods
from tests.fakes.packages import package

__all__ = ["FakeHost", "answer", "package"]

PAGE_OF_CHANGES: Final = 500
TURNS: Final = {*FINAL, "planned", "applying", "watching", "reverting"}
PAGE: Final = 1000  # events in one answer, at most
LONGEST_WAIT: Final = 60.0  # seconds


class FakeHost(HistoryMethods):
    """The state behind a `FakeManager`; give it to the next one to mimic a restart.

    Changes end at once. With `ledger.by_hand = True` they wait for `step` and `finish`.
    """

    def __init__(self) -> None:
        super().__init__(self.append)
        self.changed = threading.Condition()
        self.events: list[dict[str, Any]] = []
        self.sequence = 0
        self.dropped: list[dict[str, Any]] = []  # what is gone: first, last, reason
        self.started_at = now()

    def append(self, event_type: str, subject: str = "host", **data: Any) -> int:
        """Append an event to the log and return its sequence."""
        with self.changed:
            self.sequence += 1
            event = {
                "specversion": "1.0",
                "id": str(self.sequence),
                "source": "/hosts/fake",
                "type": event_type,
                "subject": subject,
                "time": now(),
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
            agent["last_exit"] = {**end, "at": now()}
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
            "systemd": {
                "version": "252 (252.39-1~deb12u2)",
                "connection": "private",
                "answer_seconds": 0.001,
            },
            "agents": {
                "total": len(agents),
                "phases": _counted(agent["phase"] for agent in agents),
                "health": _counted(agent["health"] for agent in agents),
            },
            "alerts": {"info": 0, "warning": 0, "critical": len(self.alert_list()["alerts"])},
            "packages": len(self.packages),
            "events": {
                "first": self.events[0]["sequence"] if self.events else 0,
                "last": self.sequence,
            },
            "memory_bytes": 30 * 1024**2,
        }

    def alert_list(self) -> dict[str, Any]:
        """Answer `alert.list`: of what failed."""
        found = [
            {
                "alert": str(agent["phase"]),
                "severity": "critical",
                "subject": f"agent/{agent['name']}",
                "message": agent["message"],
                "since": agent["since"],
            }
            for agent in self.agents.values()
            if agent["phase"] in {"failed", "quarantined"}
        ]
        return {"alerts": found}

    def change_list(
        self,
        agent: str | None = None,
        package: str | None = None,
        state: str | None = None,
        active: bool | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> dict[str, Any]:
        """Answer `change.list`, the newest first."""
        names_are_right = all(check_name(name) for name in (agent, package) if name is not None)
        if not (names_are_right and 1 <= limit <= PAGE_OF_CHANGES and state in {None, *TURNS}):
            raise InvalidError("cannot list changes: a filter is wrong")
        found = [
            change
            for change in self.ledger.newest(agent)
            if package in {None, change["package"]}
            and state in {None, change["state"]}
            and active in {None, change["state"] not in FINAL}
            and (before is None or change["id"] < before)
        ]
        return {"changes": found[:limit]}

    def change_show(self, id: int, seen: int | None = None, wait: float = 0) -> dict[str, Any]:  # noqa: A002 - the wire's own name
        """Answer `change.show`; with `seen` and `wait`, as soon as there is news."""
        deadline = time.monotonic() + min(wait, LONGEST_WAIT)
        with self.changed:
            change = self.ledger.get(id)
            while (
                seen is not None
                and change["state"] not in FINAL
                and change["serial"] <= seen
                and (left := deadline - time.monotonic()) > 0
            ):
                self.changed.wait(left)
            found: dict[str, Any] = copy.deepcopy(change)
            return found

    def change_undo(
        self,
        id: int,  # noqa: A002 - the wire's own name
        author: str = "",
        dry_run: bool = False,
        wait: float = 0,
    ) -> dict[str, Any]:
        """Answer `change.undo`."""
        known = self.ledger.get(id)
        back = {"before": known["after"], "after": known["before"], "undo_of": id}
        copied = {key: known[key] for key in ("agents", "package", "restarts")}
        undo = self.ledger.plan("rollback", known["subject"], **back, **copied, author=author)
        if dry_run:
            return {"change": undo}
        self._check_undo(known)
        if (reverted := self.ledger.undo(id)) is not None:
            return {"change": reverted}
        return {"change": self._begin(undo, self.ledger.back(id))}

    def _check_undo(self, known: dict[str, Any]) -> None:
        later = [c for c in self.ledger.newest() if c["id"] > known["id"]]
        again = any(
            set(c["agents"]) & set(known["agents"])
            and set(c["after"] or ()) & set(known["after"] or ())
            for c in later
        )
        if known["state"] in FINAL and (again or known["kind"] == "remove"):
            raise RequestError(f"cannot undo change {known['id']}: it was changed again since")

    def step(self, number: int) -> bool:
        """Take the change one step further; return whether it goes on."""
        with self.changed:
            goes_on = self.ledger.step(number)
            for name, agent in self.agents.items():
                agent["change"] = self._under_way(name)
            return goes_on

    def finish(self, number: int) -> None:
        """Take the change to its end."""
        while self.step(number):
            pass

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
            return {"events": found, "last": last, **self._missing(after, last)}

    def _missing(self, after: int | None, last: int) -> dict[str, Any]:
        gone = [
            {**each, "first": max(each["first"], after + 1)}
            for each in self.dropped
            if after is not None and each["last"] > after and each["first"] <= last
        ]
        return {"dropped": gone} if gone else {}


def answer(host: FakeHost, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the result of the manager's method, or raise `OpmasError` or `LookupError`."""
    verb = getattr(host, method.replace(".", "_"), None)
    if verb is None or "." not in method:
        raise LookupError(method)
    try:
        inspect.signature(verb).bind(**params)
    except TypeError as error:
        raise InvalidError(f"cannot use this request: {error}") from error
    if method in {"event.list", "change.show"}:  # waits, and lets go of the lock while it does
        return dict(verb(**params))
    with host.changed:
        return dict(verb(**params))


def _counted(values: Any) -> dict[str, int]:
    found = list(values)
    return {value: found.count(value) for value in sorted(set(found))}
