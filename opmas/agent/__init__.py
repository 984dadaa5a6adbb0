"""The SDK for agents: `from opmas.agent import BaseAgent, Health`.

At import: the standard library and sdnotify, and of the former only what is cheap.
"""

from opmas.agent.base import BaseAgent
from opmas.agent.errors import AgentError, ConfigError, DependencyError, FatalError, Kind
from opmas.agent.health import Check, Health, Status

__all__ = [
    "AgentError",
    "BaseAgent",
    "Check",
    "ConfigError",
    "DependencyError",
    "FatalError",
    "Health",
    "Kind",
    "Status",
]
