"""The whole error tree of OPMAS.

    OpmasError                 "internal-error"       base; anything else that escapes is a bug
    |-- ConfigError            "invalid-config"       the operator can act: edit a file
    |-- RequestError           "invalid-request"      the caller can act: ask otherwise
    |   |-- InvalidError       "invalid-value"        a document with problems, all of them named
    |   |-- UnknownAgentError  "unknown-agent"
    |   |-- UnknownPackageError "unknown-package"
    |   |-- AgentExistsError   "agent-exists"
    |   |-- TransitionError    "invalid-transition"
    |   |-- RevisionError      "revision-mismatch"    somebody else changed it first
    |   |-- GrantError         "grant-required"       the package asks for more than was granted
    |   |-- AccessDeniedError  "access-denied"
    |-- BackendError           "unavailable"          nobody can act now: retry later
        |-- ManagerError       "manager-unavailable"
        |-- SystemdError       "systemd-unavailable"
        |-- StoreError         "store-unavailable"
            |-- DamagedError   "store-damaged"        no second try mends it

A class says who can act, not where it happened. `code` is stable and documented in
docs/reference/errors.md. Messages read `cannot start agent "web": unit not found`: lower case,
the object's name, the cause, no full stop.
"""

from __future__ import annotations

from typing import ClassVar, Final


class OpmasError(Exception):
    """Base of every error that OPMAS raises on purpose.

    `problems` lists each single fault of a document as `path: reason` when there are several.
    """

    code: ClassVar[str] = "internal-error"

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems


class ConfigError(OpmasError):
    """A file of OPMAS's own configuration is wrong; an operator edits it."""

    code = "invalid-config"


class RequestError(OpmasError):
    """The request cannot be met as asked; the caller asks otherwise."""

    code = "invalid-request"


class InvalidError(RequestError):
    """A document (manifest, config, limits, name) has problems; all are named."""

    code = "invalid-value"


class UnknownAgentError(RequestError):
    """There is no agent of that name."""

    code = "unknown-agent"


class UnknownPackageError(RequestError):
    """There is no agent package of that name on this host."""

    code = "unknown-package"


class AgentExistsError(RequestError):
    """An agent of that name exists already."""

    code = "agent-exists"


class TransitionError(RequestError):
    """The agent's phase does not allow the command."""

    code = "invalid-transition"


class RevisionError(RequestError):
    """The agent is not at the revision that the caller expected."""

    code = "revision-mismatch"


class GrantError(RequestError):
    """The package asks for more than the sandbox gives, and it was not granted."""

    code = "grant-required"


class AccessDeniedError(RequestError):
    """The caller may not do this."""

    code = "access-denied"


class BackendError(OpmasError):
    """Something that OPMAS needs is away; the same request may work later."""

    code = "unavailable"


class ManagerError(BackendError):
    """The manager does not answer on its socket."""

    code = "manager-unavailable"


class SystemdError(BackendError):
    """systemd refused, failed or does not answer.

    `reason` is one of: no-such-unit, masked, bad-setting, refused (trying again does not help as
    things are), busy, unavailable, timeout (later it may).
    """

    code = "systemd-unavailable"

    def __init__(
        self, message: str, problems: tuple[str, ...] = (), *, reason: str = "unavailable"
    ) -> None:
        super().__init__(message, problems)
        self.reason = reason


class StoreError(BackendError):
    """The database cannot be read or written."""

    code = "store-unavailable"


class DamagedError(StoreError):
    """The database file is damaged, or is no database at all."""

    code = "store-damaged"


def _tree(root: type[OpmasError]) -> tuple[type[OpmasError], ...]:
    return (root, *(c for child in root.__subclasses__() for c in _tree(child)))


BY_CODE: Final = {cls.code: cls for cls in _tree(OpmasError)}


def from_code(code: str, message: str, problems: tuple[str, ...] = ()) -> OpmasError:
    """Return the error that another process described by its code."""
    return BY_CODE.get(code, OpmasError)(message, problems)
