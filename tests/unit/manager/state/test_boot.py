"""What a manager begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opmas.core.agent.terms import Phase, Reason
from opmas.core.documents.settings import Settings
from opmas.core.roster import Roster
from opmas.manager.agents.files import AgentFiles
from opmas.manager.clock import Clock
from opmas.manager.problems import Problems
from opmas.manager.state.boot import load_saved
from opmas.manager.state.database import Databases
from opmas.manager.state.saver import Saver
from tests.builders import agent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("same_boot", [True, False])
def test_who_waits_for_the_hosts_budget_waits_before_others_within_the_same_boot(
    tmp_path: Path, same_boot: bool
) -> None:
    clock, problems = Clock(), Problems(lambda _kind, _data: None)
    now = clock.monotonic()
    waiting = agent(phase=Phase.BACKOFF, reason=Reason.BUDGET, retry_at=now + 99, failures=1)
    before = Databases(tmp_path / "manager.db", clock)
    before.open(problems)
    saver = Saver(before, {})
    saver.save_everything()
    saver.save(Roster(), Roster({"web": waiting}), [], "me")
    before.close()

    databases = Databases(tmp_path / "manager.db", clock)
    opened = databases.open(problems, databases.look())
    saved = load_saved(
        databases, AgentFiles(Settings()), Roster(), clock, opened=opened, same_boot=same_boot
    )
    databases.close()

    assert saved.roster.budget.is_free(now) is not same_boot
