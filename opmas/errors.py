"""The whole error tree of OPMAS.

    OpmasError                 "internal-error"       base; anything else that escapes is a bug
    |-- ConfigError            "invalid-config"       the operator can act: edit a file
    |-- RequestError           "invalid-request"      the caller can act: ask otherwise
    |   |-- InvalidError       "invalid-value"        a document with problems, all of them named
    |   |-- MigrationError     "migration-failed"     a package's own migration of data
    |   |-- UnknownAgentError  "unknown-agent"
    |   |-- UnknownPackageError "unknown-package"
    |   |-- UnknownVersionError "unknown-version"
    |   |-- UnknownChangeError "unknown-change"
    |   |-- InUseError         "in-use"               an agent needs what is to go
    |   |-- AgentExistsError   "agent-exists"
    |   |-- TransitionError    "invalid-transition"
    |   |-- RevisionError      "revision-mismatch"    somebody else changed it first
    |   |-- GrantError         "grant-required"       the package asks for more than was granted
    |   |-- AccessDeniedError  "access-denied"
    |   |-- BundleError        "invalid-bundle"       what is wrong with it has a code of its own
    |   |   |-- UnsignedBundleError    "unsigned-bundle"
    |   |   |-- UnknownKeyError        "unknown-key"
    |   |   |-- ExpiredKeyError        "expired-key"
    |   |   |-- RevokedKeyError        "revoked-key"
    |   |   |-- KeyNotAllowedError     "key-not-allowed"
    |   |   |-- BadSignatureError      "bad-signature"
    |   |   |-- DigestError            "digest-mismatch"
    |   |   |-- UnlistedMemberError    "unlisted-member"
    |   |   |-- MissingMemberError     "missing-member"
    |   |   |-- DuplicateMemberError   "duplicate-member"
    |   |   |-- UnsafePathError        "unsafe-path"
    |   |   |-- UnsafeMemberError      "unsafe-member"
    |   |   |-- BundleSizeError        "bundle-too-large"
    |   |   |-- UnfitWheelError        "unfit-wheel"
    |   |   |-- UnmetRequirementError  "unmet-requirement"
    |   |   |-- VersionMismatchError   "version-mismatch"
    |   |   |-- UnfitPythonError       "unfit-python"
    |   |   |-- UnfitHostError         "unfit-host"
    |   |   |-- UnfitOpmasError        "unfit-opmas"
    |   |   |-- VersionTakenError      "version-taken"
    |-- BackendError           "unavailable"          nobody can act now: retry later
        |-- ManagerError       "manager-unavailable"
        |-- SystemdError       "systemd-unavailable"
        |-- DiskSpaceError     "no-space"
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


class MigrationError(RequestError):
    """The new version could not bring its agent's data to its own form."""

    code = "migration-failed"


class UnknownAgentError(RequestError):
    """There is no agent of that name."""

    code = "unknown-agent"


class UnknownPackageError(RequestError):
    """There is no agent package of that name on this host."""

    code = "unknown-package"


class UnknownVersionError(RequestError):
    """The package has no such version, here or where it comes from."""

    code = "unknown-version"


class UnknownChangeError(RequestError):
    """There is no change of that number, or it is forgotten."""

    code = "unknown-change"


class InUseError(RequestError):
    """It cannot go: an agent needs it."""

    code = "in-use"


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


class BundleError(RequestError):
    """A bundle is not in the form of one; its subclasses say what else is wrong with it."""

    code = "invalid-bundle"


class UnsignedBundleError(BundleError):
    """Nobody signed the bundle, and this host wants a signature."""

    code = "unsigned-bundle"


class UnknownKeyError(BundleError):
    """The bundle is signed with a key that this host does not trust."""

    code = "unknown-key"


class ExpiredKeyError(BundleError):
    """The key that signed the bundle is past its last day."""

    code = "expired-key"


class RevokedKeyError(BundleError):
    """The key that signed the bundle was revoked on this host."""

    code = "revoked-key"


class KeyNotAllowedError(BundleError):
    """The key may sign other packages, but not this one."""

    code = "key-not-allowed"


class BadSignatureError(BundleError):
    """The signature is not of this manifest and this key."""

    code = "bad-signature"


class DigestError(BundleError):
    """A member of the bundle is not what the signed manifest says."""

    code = "digest-mismatch"


class UnlistedMemberError(BundleError):
    """The bundle holds a file that its manifest does not list."""

    code = "unlisted-member"


class MissingMemberError(BundleError):
    """The manifest lists a file that the bundle does not hold."""

    code = "missing-member"


class DuplicateMemberError(BundleError):
    """A file is twice in the bundle or in a wheel."""

    code = "duplicate-member"


class UnsafePathError(BundleError):
    """A path leads out of its place: absolute, with `..`, or no plain name."""

    code = "unsafe-path"


class UnsafeMemberError(BundleError):
    """A link, a device or another member that is no plain file."""

    code = "unsafe-member"


class BundleSizeError(BundleError):
    """The bundle, or what it unpacks to, is over a limit."""

    code = "bundle-too-large"


class UnfitWheelError(BundleError):
    """A wheel is broken, or not for this host's Python."""

    code = "unfit-wheel"


class UnmetRequirementError(BundleError):
    """No wheel in the bundle satisfies what another one requires."""

    code = "unmet-requirement"


class VersionMismatchError(BundleError):
    """The bundle is of another package or version than was asked for."""

    code = "version-mismatch"


class UnfitPythonError(BundleError):
    """The package does not run with this host's Python."""

    code = "unfit-python"


class UnfitHostError(BundleError):
    """The package is not for this host's architecture."""

    code = "unfit-host"


class UnfitOpmasError(BundleError):
    """The package needs another version of OPMAS."""

    code = "unfit-opmas"


class VersionTakenError(BundleError):
    """The version is installed already, from another bundle."""

    code = "version-taken"


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


class DiskSpaceError(BackendError):
    """The file system has not enough room for it."""

    code = "no-space"


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
