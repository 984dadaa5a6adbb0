import argparse

import pytest

from opmas.cli.exits import UsageError
from opmas.cli.logs import journal_command
from opmas.cli.session import Session
from opmas.errors import InvalidError
from tests.unit.cli.builders import NOW


def session(name="web", **changes):
    options = {"lines": None, "since": None, "follow": False, "json": False, **changes}
    return Session(argparse.Namespace(name=name, **options), {})


def test_the_log_of_an_agent_is_its_units():
    assert journal_command(session(), NOW) == ["journalctl", "--unit=opmas-agent@web.service"]


def test_options_become_journalctls():
    asked = session(lines=5, since="10m", follow=True, json=True)

    argv = journal_command(asked, NOW)

    since = int(NOW.timestamp()) - 600
    assert argv[2:] == ["--lines=5", f"--since=@{since}", "--follow", "--output=json"]


@pytest.mark.parametrize("name", ["*", "web.service", "../x", "Web", "a" * 64, "", "-x", "a\nb"])
def test_a_name_that_is_none_never_reaches_journalctl(name):
    with pytest.raises(InvalidError, match="as agent name"):
        journal_command(session(name), NOW)


def test_a_negative_count_is_refused():
    with pytest.raises(UsageError, match="choose 0 or more"):
        journal_command(session(lines=-1), NOW)
