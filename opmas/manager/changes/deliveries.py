"""Bundles that Debian packages deliver: installed when they come, given to their agents.

What was undone is not tried again by itself until its time is over, and a package that is held
stays as it is.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import NAME
from opmas.core.change import engine, plan
from opmas.core.change.change import TaskName
from opmas.core.change.knownbad import is_barred, key
from opmas.core.change.ledger import under_way
from opmas.core.documents.settings import Updates
from opmas.manager.changes.attempts import pruned, trying, was_removed, was_tried
from opmas.packages.versions import newest, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.core.agent.terms import AgentSpec
    from opmas.core.change.change import Change
    from opmas.core.change.ledger import Step
    from opmas.core.documents.settings import PackagesSection
    from opmas.core.roster import Roster
    from opmas.manager.changes.shelf import Shelf
    from opmas.manager.clock import Clock
    from opmas.manager.state.writer import Writer
    from opmas.packages.collection import Packages

logger = logging.getLogger(__name__)

AUTHOR: Final = "dpkg"
SUFFIX: Final = ".opmas"


class Deliveries:
    """Compares what was delivered with what is installed and what the agents run."""

    def __init__(
        self, settings: PackagesSection, writer: Writer, shelf: Shelf, clock: Clock
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._shelf = shelf
        self._clock = clock
        self._tried: set[tuple[str, int]] = set()  # files that were refused, by their change time

    def look(self) -> None:
        """Plan what follows from the deliveries; called after each look at the packages."""
        self._forget()
        self._install()
        if self._settings.updates is Updates.AUTO:
            self._update()

    def _forget(self) -> None:
        directory = Path(self._settings.delivered_dir)
        if pruned(self._writer.roster, directory) is not self._writer.roster:
            self._writer.post_step(lambda roster, _now: (pruned(roster, directory), ()))

    def _install(self) -> None:
        there = dict(_marks(Path(self._settings.delivered_dir)))
        self._tried &= there.keys()  # what is gone may come again as it was
        for mark, path in there.items():
            name, version = parse_name(path)
            known = {p.version for p in self._shelf.packages.versions(name) if p.receipt}
            if not name or version in known or mark in self._tried:
                continue
            if self._goes_on(name) or was_removed(self._writer.roster, name, version, path):
                continue
            self._tried.add(mark)
            params = {
                "path": str(path),
                "name": name,
                "version": version,
                "delivered_by": f"deb:opmas-agent-{name}",
            }
            change = replace(plan.install(name, version, params, author=AUTHOR), automatic=True)
            self._writer.post_step(partial(_propose, change))

    def _update(self) -> None:
        roster = self._writer.roster
        now = self._clock.utc().timestamp()
        offers: dict[str, str] = {}
        for agent in roster.agents.values():
            spec = agent.spec
            if spec.package not in offers:
                offers[spec.package] = delivered(
                    self._settings.delivered_dir, self._shelf.packages, spec.package
                )
            wanted = offers[spec.package]
            if not wanted or not spec.version or order(wanted) <= order(spec.version):
                continue
            busy = any(agent.name in c.agents for c in under_way(roster))
            if not busy and _is_wanted(roster, spec, wanted, now):
                change = replace(plan.update(spec, wanted, author=AUTHOR), automatic=True)
                self._writer.post_step(partial(_update, change, spec, wanted))

    def _goes_on(self, name: str) -> bool:
        """Return whether a change of that package installs something already."""
        return any(
            change.package == name and any(t.name is TaskName.INSTALL for t in change.tasks)
            for change in under_way(self._writer.roster)
        )


def _propose(change: Change, roster: Roster, _now: float) -> Step:
    return engine.propose(roster, change)


def _update(change: Change, spec: AgentSpec, version: str, roster: Roster, now: float) -> Step:
    """Have the agent updated, unless somebody held it or it was tried a moment ago."""
    now += roster.utc_offset
    if not _is_wanted(roster, spec, version, now):
        return roster, ()
    return engine.propose(trying(roster, spec, version, now), change)


def _is_wanted(roster: Roster, spec: AgentSpec, version: str, now: float) -> bool:
    barred = is_barred(roster.bad.get(key(spec.package, version)), now)
    held = spec.package in roster.holds
    return not held and not barred and not was_tried(roster, spec, version, now)


def _marks(directory: Path) -> Iterator[tuple[tuple[str, int], Path]]:
    """Yield what identifies each bundle in the directory, and its path."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with contextlib.suppress(OSError):  # dpkg has just taken it away
            yield (str(path), path.stat().st_ctime_ns), path


def delivered(directory: str, packages: Packages, name: str) -> str:
    """Return the newest version of the package that was delivered and not taken back since."""
    there = {version for _, version in bundles(directory, name)}
    return newest(
        p.version
        for p in packages.versions(name)
        if p.receipt is not None and p.receipt.delivered_by and p.version in there
    )


def is_behind(directory: str, packages: Packages, spec: AgentSpec) -> bool:
    """Return whether an agent that is so would be updated to what was delivered."""
    offered = delivered(directory, packages, spec.package)
    return bool(offered and spec.version) and order(offered) > order(packages.version_of(spec))


def newest_bundle(directory: str, name: str, version: str = "") -> Path | None:
    """Return the file of the newest version of that package, or of that version, or None."""
    found = {v: path for path, v in bundles(directory, name) if not version or v == version}
    return found.get(newest(found))


def bundles(directory: str, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the bundles of that package in the directory, each with its version."""
    for path in sorted(Path(directory).glob(f"{name}-*{SUFFIX}")):
        found, version = parse_name(path)
        if found == name:
            yield path, version


def parse_name(path: Path) -> tuple[str, str]:
    """Return the name and the version that the file's name says, or two empty texts."""
    name, _, version = path.name.removesuffix(SUFFIX).rpartition("-")
    return (name, version) if NAME.fullmatch(name) and version else ("", "")
