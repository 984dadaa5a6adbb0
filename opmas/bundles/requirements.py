"""Whether what the wheels of a bundle require is among them. No resolver: there is no choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import canonicalize_name

from opmas.errors import UnfitWheelError, UnmetRequirementError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.requirements import Requirement
    from packaging.version import Version

    from opmas.bundles.host import Host
    from opmas.bundles.wheels import Wheel

# The SDK and what it needs come with OPMAS: an agent runs with the host's, never with its own.
HOST_PROVIDED: Final = frozenset({"opmas", "opmas-agent", "sdnotify"})


def check_requirements(wheels: Sequence[Wheel], host: Host) -> None:
    """Raise `UnmetRequirementError` that names every requirement which nothing satisfies."""
    by_name: dict[str, Wheel] = {}
    for wheel in wheels:
        name = wheel.name.distribution
        if name in by_name:
            raise UnfitWheelError(
                f"cannot use {wheel.name.file}: {by_name[name].name.file} is {name} already"
            )
        by_name[name] = wheel
    unmet = _unmet(by_name, host)
    if unmet:
        more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        raise UnmetRequirementError(f"cannot use the bundle: {unmet[0]}{more}", tuple(unmet))


def is_provided(requirement: Requirement, host: Host) -> bool:
    """Return whether the host itself satisfies it."""
    name = canonicalize_name(requirement.name)
    if name not in HOST_PROVIDED:
        return False
    return name == "sdnotify" or requirement.specifier.contains(host.opmas, prereleases=True)


def holds(requirement: Requirement, extras: Iterable[str], host: Host) -> bool:
    """Return whether its marker is true here for one of the extras, or for none."""
    marker = requirement.marker
    if marker is None:
        return True
    try:
        return any(marker.evaluate({**host.markers, "extra": extra}) for extra in ("", *extras))
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise UnfitWheelError(f'cannot use a wheel: its "{requirement}" means nothing') from error


def _unmet(by_name: dict[str, Wheel], host: Host) -> list[str]:
    """Return `distribution: requirement` for each one unmet, following the extras asked for."""
    unmet: list[str] = []
    extras: dict[str, set[str]] = {name: set() for name in by_name}
    todo = list(by_name)
    while todo:
        name = todo.pop(0)
        for requirement in by_name[name].requirements:
            if not holds(requirement, sorted(extras[name]), host):
                continue
            wanted = str(canonicalize_name(requirement.name))
            if _met(requirement, by_name.get(wanted), host):
                if wanted in by_name and not requirement.extras <= extras[wanted]:
                    extras[wanted] |= requirement.extras
                    todo.append(wanted)
                continue
            problem = f"{name}: {requirement}"
            if problem not in unmet:
                unmet.append(problem)
    return unmet


def _met(requirement: Requirement, wheel: Wheel | None, host: Host) -> bool:
    if is_provided(requirement, host):
        return True
    if wheel is None or requirement.url:
        return False
    version: Version = wheel.name.version
    return requirement.specifier.contains(version, prereleases=True)
