"""Tests of agents without systemd and without a manager; with pytest by the fixture `opmas_agent`.

    def test_it_tells_of_a_full_spool(opmas_agent, tmp_path):
        (tmp_path / "one").touch()
        agent = opmas_agent(config={"path": str(tmp_path), "limit": 0})
        agent.wait_ready()
        assert agent.wait_event("spool.full").data == {"files": 1}

The agent is a real process of the SDK (or the program of an exec agent) with the environment that
its unit would give it. It talks to real sockets: one is systemd's, one the manager's. Nothing of
this is imported by an agent that runs.
"""

from opmas.agent.testing.agent import AgentUnderTest
from opmas.agent.testing.errors import CommandFailedError, ConfigRefusedError, SetupError
from opmas.agent.testing.manager import ManagerSocket
from opmas.agent.testing.notify import NotifySocket
from opmas.agent.testing.package import Package, find_package, read_package
from opmas.agent.testing.values import Check, Event, Health, Sample

__all__ = [
    "AgentUnderTest",
    "Check",
    "CommandFailedError",
    "ConfigRefusedError",
    "Event",
    "Health",
    "ManagerSocket",
    "NotifySocket",
    "Package",
    "Sample",
    "SetupError",
    "find_package",
    "read_package",
]
