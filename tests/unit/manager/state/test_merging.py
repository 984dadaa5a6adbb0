"""Agents after a loss: an older database beside newer files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opmas.core.agent.condition import dump_condition, dump_spec
from opmas.core.agent.terms import Desired, Phase, Reason
from opmas.manager.agents.files import SavedSpec
from opmas.manager.state.merging import merge
from opmas.store.rows import AgentRow
from tests.builders import agent, running, spec

if TYPE_CHECKING:
    from opmas.core.agent.state import Agent


def row(known: Agent, **changes) -> AgentRow:
    saved = dump_spec(known.spec), dump_condition(known)
    return replace(AgentRow(known.name, *saved, 3, 5, "then", "then"), **changes)


def test_an_agent_is_as_its_file_says_and_its_revision_is_a_new_one():
    newer = SavedSpec(spec(config={"naps": 2}), 4)

    merged = merge([row(running())], [newer], "now", same_boot=True)

    assert [a.spec for a in merged.agents] == [newer.spec]
    assert merged.newer == ("web",)
    record = merged.records["web"]
    assert (record.config_version, record.revision, record.created_at) == (4, 6, "then")


def test_an_agent_that_did_not_change_keeps_its_record():
    known = running()

    merged = merge([row(known)], [SavedSpec(known.spec, 3)], "now", same_boot=True)

    assert merged.records["web"].revision == 5
    assert (merged.newer, merged.gone) == ((), ())


def test_an_agent_without_a_file_was_removed_since():
    merged = merge([row(running())], [], "now", same_boot=True)

    assert (merged.agents, merged.records, merged.gone) == ((), {}, ("web",))


def test_when_all_files_are_lost_the_database_knows():
    merged = merge([row(running())], None, "now", same_boot=False)

    assert [a.name for a in merged.agents] == ["web"]
    assert merged.records["web"].revision == 5


def test_what_lasts_over_boots_is_kept_and_what_was_under_way_is_not():
    quarantined = agent("bad", phase=Phase.QUARANTINED, reason=Reason.CRASHED, failures=6)
    paused = running(paused=True)
    files = [SavedSpec(quarantined.spec, 1), SavedSpec(paused.spec, 1)]

    merged = merge([row(quarantined), row(paused)], files, "now", same_boot=True)

    found = {a.name: a for a in merged.agents}
    assert (found["bad"].phase, found["bad"].failures) == (Phase.QUARANTINED, 6)
    assert (found["web"].phase, found["web"].paused) == (Phase.RUNNING, False)


def test_an_agent_that_is_to_run_is_taken_to_have_run_in_this_boot_only():
    files = [SavedSpec(spec(), 1), SavedSpec(spec("off", desired=Desired.STOPPED), 1)]

    here = merge([], files, "now", same_boot=True)
    after_boot = merge([], files, "now", same_boot=False)

    assert [a.phase for a in here.agents] == [Phase.RUNNING, Phase.REGISTERED]
    assert [a.phase for a in after_boot.agents] == [Phase.REGISTERED, Phase.REGISTERED]
