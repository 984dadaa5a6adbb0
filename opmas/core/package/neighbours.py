"""What agents are to each other: dependencies resolved before anything is changed, conflicts.

A *hard* dependency (`requires` in agent.yaml) must be there and run; a *soft* one (`wants`) is
waited for when it is there. `after` is the order of starts alone. All of them name agents;
conflicts name packages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.package.manifest import Manifest


def check_neighbours(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> None:
    """Raise `InvalidError` when the agent cannot live beside the others, with every reason.

    `specs` are of all agents with this one as it is wanted, `manifests` of those whose package is
    on the host.
    """
    problems = [*_missing(name, specs, manifests), *_conflicts(name, specs, manifests)]
    circle = find_circle(name, specs, manifests)
    if circle:
        path = " -> ".join(circle)
        problems.append(f"requires: leads back to the agent itself: {path}")
    if problems:
        raise InvalidError(f'cannot run agent "{name}": {problems[0]}', tuple(problems))


def neighbours(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> tuple[str, ...]:
    """Return the agents that start before this one."""
    spec, manifest = specs.get(name), manifests.get(name)
    named = () if manifest is None else (*manifest.requires, *manifest.wants, *manifest.after)
    more = () if spec is None else spec.after
    return tuple(n for n in dict.fromkeys((*named, *more)) if n != name)


def find_circle(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> tuple[str, ...]:
    """Return a path of dependencies that leads from the agent back to it, or nothing."""
    pending: list[tuple[str, ...]] = [(name,)]
    seen = set()
    while pending:
        path = pending.pop()
        for other in neighbours(path[-1], specs, manifests):
            if other == name:
                return (*path, name)
            if other not in seen:
                seen.add(other)
                pending.append((*path, other))
    return ()


def dependents(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> tuple[str, ...]:
    """Return the agents that cannot run without this one, directly or through others."""
    found: dict[str, None] = {}
    pending = [name]
    while pending:
        needed = pending.pop()
        for other in specs:
            manifest = manifests.get(other)
            if manifest and needed in manifest.requires and other not in found and other != name:
                found[other] = None
                pending.append(other)
    return tuple(sorted(found))


def _missing(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> Iterator[str]:
    """Yield each hard dependency that nobody declared, with the path that leads to it."""
    pending: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    while pending:
        path = pending.pop()
        manifest = manifests.get(path[-1])
        for other in () if manifest is None else manifest.requires:
            longer = (*path, other)
            if other not in specs:
                yield (
                    f'requires: there is no agent "{other}" ({" -> ".join(longer)}):'
                    f" create it first: opmas agent create {other}"
                )
            elif other not in seen:
                seen.add(other)
                pending.append(longer)


def _conflicts(
    name: str, specs: Mapping[str, AgentSpec], manifests: Mapping[str, Manifest]
) -> Iterator[str]:
    own, manifest = specs[name].package, manifests.get(name)
    refuses = () if manifest is None else manifest.conflicts
    for other, spec in sorted(specs.items()):
        if other == name:
            continue
        theirs = manifests.get(other)
        if spec.package in refuses:
            yield f'conflicts: agent "{other}" runs the package {spec.package}: remove it first'
        elif theirs is not None and own in theirs.conflicts:
            yield f'conflicts: agent "{other}" refuses the package {own}: remove the agent first'
