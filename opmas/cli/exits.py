"""The exit codes of `opmas`: a closed table, and which error ends with which.

Scripts rely on it: a code is never given another meaning. `opmas --help`, the man page and
docs/reference/cli.md print this table.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from opmas.errors import (
    AccessDeniedError,
    BackendError,
    ConfigError,
    ManagerError,
    OpmasError,
    RequestError,
    UnknownAgentError,
    UnknownChangeError,
    UnknownPackageError,
    UnknownVersionError,
)


class Exit(IntEnum):
    """How `opmas` ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    MANAGER_UNAVAILABLE = 4
    ACCESS_DENIED = 5
    REFUSED = 6
    UNAVAILABLE = 7
    BUG = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: Final = {
    Exit.OK: "done, and all is well",
    Exit.FAILED: "the answer is negative: an agent is not in the phase that was asked for, a "
    "change was undone or refused or has not ended in time, `status` found something that needs "
    "attention, `doctor` found a fault",
    Exit.USAGE: "the command line is wrong; nothing was done",
    Exit.NOT_FOUND: "there is no such agent, package, version or change",
    Exit.MANAGER_UNAVAILABLE: "the manager does not answer (agents run on without it)",
    Exit.ACCESS_DENIED: "not allowed: be root or a member of the group opmas",
    Exit.REFUSED: "the request is refused as it stands: a wrong value, a need that is not "
    "granted, an agent that exists already or was changed meanwhile, a bundle that this host does "
    "not trust or that is damaged",
    Exit.UNAVAILABLE: "something that the manager needs is away (systemd, its database, a "
    "missing program); the same command may work later",
    Exit.BUG: "a bug in opmas",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
    Exit.BROKEN_PIPE: "the reader of its output went away",
}


class UsageError(OpmasError):
    """The command line is wrong."""

    code = "usage"


class FailedError(OpmasError):
    """It was tried and did not work."""

    code = "failed"


# The first class that fits decides, so the special ones stand before their bases.
_BY_CLASS: Final = (
    (UsageError, Exit.USAGE),
    (FailedError, Exit.FAILED),
    (UnknownAgentError, Exit.NOT_FOUND),
    (UnknownPackageError, Exit.NOT_FOUND),
    (UnknownVersionError, Exit.NOT_FOUND),
    (UnknownChangeError, Exit.NOT_FOUND),
    (ManagerError, Exit.MANAGER_UNAVAILABLE),
    (AccessDeniedError, Exit.ACCESS_DENIED),
    (RequestError, Exit.REFUSED),
    (ConfigError, Exit.REFUSED),
    (BackendError, Exit.UNAVAILABLE),
)


def exit_for(error: OpmasError) -> Exit:
    """Return the code with which `opmas` ends on this error."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Exit.BUG)
