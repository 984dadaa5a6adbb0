"""What an author raises to say what must happen now.

    AgentError             kind given by the author (RETRY unless said otherwise)
    |-- ConfigError        FATAL    the configuration is of no use: exit 78, or a veto in on_config
    |-- DependencyError    RETRY    something outside is away: try again, with growing pauses
    |-- FatalError         FATAL    another start would end the same way: exit 78

Any other exception is a bug of the agent: it is logged with its traceback, the process exits with
1, and systemd starts it again.
"""

from __future__ import annotations

import enum

EXIT_OK = 0
EXIT_BUG = 1
# sysexits.h EX_CONFIG; the unit says RestartPreventExitStatus=78.
EXIT_FATAL = 78


class Kind(enum.Enum):
    """What the SDK does about an error."""

    RETRY = "retry"  # health degraded; the same step again after a growing pause
    DEGRADE = "degrade"  # health degraded until the step succeeds; the normal interval goes on
    FATAL = "fatal"  # exit 78, which systemd does not restart


class AgentError(Exception):
    """An error that the author foresaw; `kind` decides what happens, `code` is for machines."""

    kind = Kind.RETRY
    code = "agent-error"

    def __init__(self, message: str, *, kind: Kind | None = None, code: str | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind
        if code is not None:
            self.code = code


class ConfigError(AgentError):
    """The configuration cannot be used; an operator changes it."""

    kind = Kind.FATAL
    code = "invalid-config"


class DependencyError(AgentError):
    """Something that the agent needs is away; later it may be back."""

    code = "dependency-away"


class FatalError(AgentError):
    """The agent cannot work here, and another start would not help."""

    kind = Kind.FATAL
    code = "fatal"
