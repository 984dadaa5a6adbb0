"""Agents after a loss: what an older database knows, and what the files beside agents say.

The files are written at each change of an agent, so they are newer than any backup: an agent is
as its file says, and one without a file was removed since. What only the database has, such as
that an agent is quarantined, is taken from it when nothing else of the agent changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from opmas.core.agent.condition import load_condition, load_spec
from opmas.core.agent.state import Agent
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.manager.state.saver import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.core.agent.terms import AgentSpec
    from opmas.manager.agents.files import SavedSpec
    from opmas.store.rows import AgentRow

LASTING: Final = {Phase.QUARANTINED, Phase.FAILED}


@dataclass(frozen=True, slots=True)
class Merged:
    """The agents and their records; `newer` came from their files, `gone` have none any more."""

    agents: tuple[Agent, ...]
    records: dict[str, Record]
    newer: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def merge(
    rows: Iterable[AgentRow], files: Iterable[SavedSpec] | None, now: str, *, same_boot: bool
) -> Merged:
    """Return the agents; `files` None is a lost directory: then the database alone knows."""
    old = {row.name: row for row in rows}
    if files is None:
        same = tuple(_known(row, same_boot=same_boot) for row in old.values())
        return Merged(same, {name: record_of(row) for name, row in old.items()})
    found = {saved.spec.name: saved for saved in files}
    agents: list[Agent] = []
    records: dict[str, Record] = {}
    newer: list[str] = []
    for name, saved in found.items():
        row = old.get(name)
        if row is not None and load_spec(row.spec) == saved.spec:
            agents.append(_known(row, same_boot=same_boot))
            records[name] = record_of(row)
            continue
        newer.append(name)
        agents.append(_assumed(saved.spec, same_boot=same_boot))
        records[name] = _raised(row, saved, now)
    gone = sorted(old.keys() - found.keys())
    return Merged(tuple(agents), records, tuple(newer), tuple(gone))


def record_of(row: AgentRow) -> Record:
    """Return what the row says of the agent beside its state."""
    return Record(row.config_version, row.revision, row.created_at, row.updated_at)


def _raised(row: AgentRow | None, saved: SavedSpec, now: str) -> Record:
    """Return a record that is not one that anybody has seen of another declaration."""
    if row is None:
        return Record(saved.config_version, 1, now, now)
    version = max(saved.config_version, row.config_version)
    return replace(
        record_of(row), config_version=version, revision=row.revision + 1, updated_at=now
    )


def _known(row: AgentRow, *, same_boot: bool) -> Agent:
    spec = load_spec(row.spec)
    before = load_condition(spec, row.condition)
    if before.phase not in LASTING:
        return _assumed(spec, same_boot=same_boot)
    return Agent(
        spec, phase=before.phase, reason=before.reason, message=before.message,
        failures=before.failures, last_exit=before.last_exit,
    )  # fmt: skip


def _assumed(spec: AgentSpec, *, same_boot: bool) -> Agent:
    """Return the agent as it would be if all went well: what systemd says comes next."""
    if same_boot and spec.desired is Desired.RUNNING:
        return Agent(spec, phase=Phase.RUNNING, reason=Reason.READY)
    return Agent(spec)
