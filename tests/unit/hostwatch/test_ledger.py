"""What is remembered over a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.agents.hostwatch.hostwatch.ledger import (
    NOTHING,
    Ledger,
    LedgerFile,
    parse_ledger,
    render_ledger,
)

LEDGERS = st.builds(
    Ledger,
    st.dictionaries(
        st.tuples(st.text(), st.text()), st.integers(min_value=0, max_value=1 << 40).map(float)
    ),
    st.frozensets(st.text()),
)


@given(ledger=LEDGERS)
def test_what_is_written_is_read_again(ledger):
    assert parse_ledger(render_ledger(ledger)) == ledger


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"format": 2}', '{"format": 1}'])
def test_what_is_no_ledger_is_an_empty_one(text):
    assert parse_ledger(text) == NOTHING


def test_an_entry_that_makes_no_sense_is_left_out():
    ledger = parse_ledger(
        '{"format": 1, "writable": ["/", 3, null], "raised": [7, {"rule": "a"},'
        ' {"rule": "a", "instance": "b", "since": "x"},'
        ' {"rule": "a", "instance": "", "since": 2}]}'
    )

    assert ledger == Ledger({("a", ""): 2.0}, frozenset({"/"}))


def test_a_ledger_survives_in_its_directory(tmp_path):
    ledger = Ledger({("filesystem_used", "/"): 5.0}, frozenset({"/"}))
    LedgerFile(str(tmp_path)).keep(ledger)

    assert LedgerFile(str(tmp_path)).read() == ledger
    assert [path.name for path in tmp_path.iterdir()] == ["hostwatch.json"]


def test_what_is_no_news_is_not_written_again(tmp_path):
    file = LedgerFile(str(tmp_path))
    file.keep(NOTHING)
    (tmp_path / "hostwatch.json").unlink()

    file.keep(NOTHING)

    assert list(tmp_path.iterdir()) == []


def test_without_a_directory_nothing_is_kept():
    file = LedgerFile(None)
    file.keep(NOTHING)

    assert file.read() == NOTHING
