"""A start that takes long and goes on is given its time; one that hangs is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from opmas.manager import patience
from opmas.manager.patience import EXTENSION, LEAST, Patience
from tests.fakes.notifier import RecordingNotifier

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 x UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


@pytest.fixture
def notifier() -> RecordingNotifier:
    return RecordingNotifier()


def test_while_sqlite_works_more_time_is_asked_for_again_and_again(notifier, monkeypatch):
    monkeypatch.setattr(patience, "PERIOD", 0.02)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.set_progress_handler(lambda: len(notifier.extended) >= 3, 20_000)

        with Patience(notifier), pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(ENDLESS).fetchall()

    assert notifier.extended[:3] == [EXTENSION] * 3


def test_what_hangs_is_given_no_more_time(notifier):
    spent = iter([5.0, 5.0 + LEAST / 2, 5.0 + LEAST / 2])
    watched = Patience(notifier, lambda: next(spent))

    watched.look()
    watched.look()

    assert notifier.extended == []
