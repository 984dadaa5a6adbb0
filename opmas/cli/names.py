"""Names that nothing has: the nearest one that exists is offered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.errors import OpmasError, UnknownAgentError, UnknownPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.client.control import ManagerClient


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean "web"?`, or nothing when no word is near."""
    import difflib

    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def call_for_agent(
    manager: ManagerClient, method: str, name: str, **params: Any
) -> dict[str, Any]:
    """Return the method's result for an agent; an unknown name comes with the nearest."""
    try:
        return manager.call(method, name=name, **params)
    except UnknownAgentError as error:
        hint = _hint(manager, name, error, ("agent.list", "agents"))
        raise UnknownAgentError(error.message + hint, error.problems) from error
    except UnknownPackageError as error:
        wanted = str(params.get("package", name))
        raise _with_packages(manager, wanted, error) from error


def call_for_package(
    manager: ManagerClient, method: str, name: str, **params: Any
) -> dict[str, Any]:
    """Return the method's result for a package; an unknown name comes with the nearest."""
    try:
        return manager.call(method, name=name, **params)
    except UnknownPackageError as error:
        raise _with_packages(manager, name, error) from error


def _with_packages(
    manager: ManagerClient, name: str, error: UnknownPackageError
) -> UnknownPackageError:
    hint = _hint(manager, name, error, ("package.list", "packages"))
    return UnknownPackageError(error.message + hint, error.problems)


def _hint(manager: ManagerClient, name: str, error: OpmasError, listing: tuple[str, str]) -> str:
    if "did you mean" in error.message:  # the manager found it itself
        return ""
    method, key = listing
    try:
        known = [str(found["name"]) for found in manager.call(method)[key]]
    except OpmasError:  # the first error matters more than its hint
        return ""
    command = method.replace(".", " ")
    return did_you_mean(name, known) or (f": see `opmas {command}`" if known else "")
