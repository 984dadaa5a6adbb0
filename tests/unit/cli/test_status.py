from opmas.cli.status import render_status
from tests.unit.cli.builders import agent, host, view


def test_status_shows_host_manager_and_agents():
    document = {"state": "ok", "attention": [], "host": host(), "agents": [agent()]}

    text = render_status(document, view())

    assert text.split("\n") == [
        "web-1: manager ok",
        "  manager   0.1.0, up 1h, 30M of memory",
        "  systemd   252, private socket",
        "  packages  2",
        "  agents    1: 1 running",
        "",
        "AGENT  PACKAGE    VERSION  PHASE    HEALTH   SINCE  MEMORY  MESSAGE",
        "web    hostwatch  1.0.0    running  healthy  2h 2m  12M",
    ]


def test_problems_of_the_manager_are_said_first():
    problem = {"code": "database", "message": "cannot save: disk full"}
    degraded = host(state="degraded", problems=[problem])
    document = {"state": "attention", "attention": [], "host": degraded, "agents": []}

    lines = render_status(document, view()).split("\n")

    assert lines[:2] == ["web-1: manager degraded", "  database: cannot save: disk full"]


def test_agents_that_need_attention_come_with_the_command_that_says_why():
    failed = agent("db", phase="failed")
    document = {"state": "attention", "attention": ["db"], "host": host(), "agents": [failed]}

    text = render_status(document, view())

    assert text.endswith("1 agent needs attention: `opmas agent explain db` says why")


def test_the_agent_that_needs_attention_most_is_named():
    agents = [
        agent("a", health="degraded"),
        agent("b", phase="backoff", health="unknown"),
        agent("c", phase="quarantined", health="unknown"),
        agent("d", health="unhealthy"),
    ]
    document = {"state": "attention", "attention": list("abcd"), "host": host(), "agents": agents}

    assert "`opmas agent explain c` says why" in render_status(document, view())


def test_a_manager_without_systemd_is_shown():
    alone = host(systemd={"version": None, "connection": "down"})
    document = {"state": "attention", "attention": [], "host": alone, "agents": []}

    assert "not connected" in render_status(document, view())
