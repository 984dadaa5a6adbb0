"""Chooses the wheels of a package's dependencies out of a directory, or fetches them with pip.

No resolver: of each distribution the newest version that all its users accept, as far as they are
known when it is chosen; what one more user refuses is chosen again. Nothing is tried backwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from opmas.bundles.requirements import HOST_PROVIDED, holds
from opmas.bundles.wheels import WheelName, parse_name, read_wheel
from opmas.errors import BackendError, UnfitWheelError, UnmetRequirementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.version import Version

    from opmas.bundles.host import Host
    from opmas.bundles.wheels import Wheel

FETCH_TIMEOUT: Final = 900.0
# Of pip's settings on this machine only where its index is: the rest would change what is fetched.
_KEPT: Final = ("PIP_INDEX_URL", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY")


@dataclass
class _Choice:
    """What is chosen so far, and what its users have asked for."""

    wheels: dict[str, Wheel] = field(default_factory=dict)
    asked: dict[str, list[tuple[str, Requirement]]] = field(default_factory=dict)

    def ask(self, user: str, requirement: Requirement) -> bool:
        """Note the requirement, and return whether it is a new one."""
        name = str(canonicalize_name(requirement.name))
        known = self.asked.setdefault(name, [])
        if any(str(requirement) == str(other) for _, other in known):
            return False
        known.append((user, requirement))
        return True

    def extras(self, name: str) -> list[str]:
        """Return the extras that are asked for of the distribution."""
        return sorted({extra for _, each in self.asked.get(name, ()) for extra in each.extras})

    def accepts(self, name: WheelName) -> bool:
        """Return whether all its users accept the version."""
        asked = self.asked.get(name.distribution, [])
        return all(each.specifier.contains(name.version, prereleases=True) for _, each in asked)


def select_wheels(
    user: str, needs: Sequence[Requirement], folder: Path, host: Host
) -> list[Wheel]:
    """Return the wheels in the folder that the needs and they need; or raise what is unmet."""
    there = _there(folder, host)
    choice = _Choice()
    todo = [(user, need) for need in needs if holds(need, (), host)]
    unmet = []
    while todo:
        asker, need = todo.pop(0)
        name = str(canonicalize_name(need.name))
        if name in HOST_PROVIDED or not choice.ask(asker, need):
            continue
        found = max(filter(choice.accepts, there.get(name, ())), default=None, key=_worth(host))
        if found is None or need.url:
            unmet.append(f"{asker}: {need}")
            continue
        wheel = choice.wheels.get(name)
        if wheel is None or wheel.name != found:
            wheel = choice.wheels[name] = read_wheel(folder / found.file, host)
        extras = choice.extras(name)
        todo += [(name, each) for each in wheel.requirements if holds(each, extras, host)]
    if unmet:
        raise UnmetRequirementError(
            f"cannot build the bundle: {folder} has no wheel for {unmet[0]}", tuple(unmet)
        )
    return _needed(choice, needs)


def fetch_wheels(needs: Iterable[Requirement], links: Path | None, folder: Path) -> None:
    """Download wheels for the needs, and theirs, with pip; `links` is looked into as well."""
    wanted = [str(need) for need in needs if canonicalize_name(need.name) not in HOST_PROVIDED]
    if not wanted:
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", f"--dest={folder}"]
    command += [f"--find-links={links}"] if links else []
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environ |= {key: os.environ[key] for key in _KEPT if key in os.environ}
    try:
        done = subprocess.run(
            [*command, "--", *wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=FETCH_TIMEOUT,
            env={**environ, "PIP_CONFIG_FILE": os.devnull},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"cannot fetch wheels: {error}") from error
    if done.returncode != 0:
        lines = tuple(line for line in done.stderr.strip().splitlines() if line.strip())
        raise BackendError(f"cannot fetch wheels: pip: {(lines or ('no reason',))[-1]}", lines)


def _there(folder: Path, host: Host) -> dict[str, list[WheelName]]:
    """Return the wheels in the folder that fit the host, by distribution."""
    found: dict[str, list[WheelName]] = {}
    for path in sorted(folder.glob("*.whl")):
        try:
            name = parse_name(path.name)
        except UnfitWheelError:
            continue
        if name.rank(host) is not None:
            found.setdefault(name.distribution, []).append(name)
    return found


def _worth(host: Host) -> Callable[[WheelName], tuple[bool, Version, int]]:
    return lambda name: (not name.version.is_prerelease, name.version, -(name.rank(host) or 0))


def _needed(choice: _Choice, needs: Sequence[Requirement]) -> list[Wheel]:
    """Return the chosen wheels without those that only a wheel given up again has asked for."""
    needed: dict[str, Wheel] = {}
    todo = list(needs)
    while todo:
        name = str(canonicalize_name(todo.pop().name))
        wheel = choice.wheels.get(name)
        if wheel is not None and name not in needed:
            needed[name] = wheel
            todo += wheel.requirements
    return list(needed.values())
