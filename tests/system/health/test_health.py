"""Health on a real systemd: a program that is probed, and an agent that flaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.health.damping import MOST

if TYPE_CHECKING:
    from tests.system.manager.opmas import Opmas

START_DELAY = 3.0  # of tests/agents/pages
UNKNOWN = ("running", "unknown")


def fact(view: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in view["health_facts"] if f["name"] == name)
    return found


def test_a_program_that_does_not_answer_any_more_is_started_again(opmas: Opmas):
    opmas.run("agent", "create", "pages", "--package", "pages", "--grant-all", "--window", "0")
    early = opmas.show("pages")
    ready = opmas.wait("pages", lambda view: view["ready"], "its first check succeeded")
    states = opmas.call("agent.history", name="pages")["states"]
    waited = sum(s["seconds"] for s in states if (s["phase"], s["health"]) == UNKNOWN)

    assert (early["health"], early["ready"], early["alive"]) == ("unknown", False, True)
    assert waited >= START_DELAY - 0.5
    assert ready["health"] == "healthy"
    assert fact(ready, "probe")["code"] == "check-passed"

    opmas.systemctl("kill", "-s", "USR1", "opmas-agent@pages.service")
    opmas.wait_event(
        0, type="opmas.agent.phase", subject="agent/pages", to="stopping", reason="unhealthy"
    )
    anew = opmas.wait_new_pid("pages", ready["main_pid"])
    well = opmas.wait("pages", lambda view: view["health"] == "healthy", "it is well again")

    assert not anew["ready"]
    assert well["ready"]
    phases = opmas.events(0, type="opmas.agent.phase")
    assert len([e for e in phases if e["data"]["reason"] == "unhealthy"]) == 1
    told = opmas.json("agent", "history", "pages", "--since", "10m")
    assert ("stopping", "unhealthy") in {(s["phase"], s["reason"]) for s in told["states"]}
    assert 0 < told["availability"] < 1
    opmas.run("agent", "remove", "pages", "--yes", "--purge")


def test_an_agent_that_flaps_is_shown_bad_and_fills_no_log(opmas: Opmas):
    after = opmas.last_event()
    opmas.create("fickle", "fickle")

    def flaps(view: dict[str, Any]) -> bool:
        return view["health"] == "unhealthy" and "flapping" in view["health_message"]

    shown = opmas.wait("fickle", flaps, "it is said to flap")

    assert shown["alive"]
    assert shown["phase"] == "running"
    assert fact(shown, "report/database/pool")
    assert fact(shown, "progress")["age"] < 60
    changes = opmas.events(after, type="opmas.agent.health")
    assert len([e for e in changes if e["subject"] == "agent/fickle"]) <= MOST
    told = opmas.run("agent", "explain", "fickle").stdout
    assert "flapping" in told
    opmas.run("agent", "remove", "fickle", "--yes", "--purge")
