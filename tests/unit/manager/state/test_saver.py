"""What is saved when the database comes back."""

from __future__ import annotations

import pytest

from opmas.core.roster import Roster, remove
from opmas.errors import StoreError
from opmas.manager.clock import Clock
from opmas.manager.problems import Problems
from opmas.manager.state.database import Databases
from opmas.manager.state.saver import Saver
from tests.builders import stopped


@pytest.fixture
def databases(tmp_path):
    found = Databases(tmp_path / "manager.db", Clock())
    found.open(Problems(lambda _kind, _data: None))
    yield found
    found.close()


def test_an_agent_removed_while_the_database_was_away_is_not_there_later(databases):
    saver = Saver(databases, {})
    both = Roster({name: stopped(name) for name in ("web", "two")})
    saver.save(Roster(), both, [], "me")
    one = remove(both, "web")

    database, databases.current = databases.current, None
    with pytest.raises(StoreError):
        saver.save(both, one, [], "me")
    saver.postpone(both, one, [])
    databases.current = database
    saver.save(one, one, [], "me")

    assert [row.name for row in database.agents()] == ["two"]
