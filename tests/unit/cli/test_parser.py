import pytest

from opmas.cli.commands import COMMANDS
from opmas.cli.exits import UsageError
from opmas.cli.parser import parse
from opmas.cli.schemas import SCHEMAS

ABOUT_JOURNAL = {"journald's JSON", ""}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.path))
def test_every_command_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        parse([*command.path, "--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "examples:" in text
    assert 1 <= len(command.examples) <= 3
    assert command.summary[0].islower()
    assert not command.summary.endswith(".")
    assert command.about.endswith(".")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.path))
def test_every_example_is_a_command_that_can_be_typed(command):
    for text, _ in command.examples:
        assert command.spelled in text


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c.path))
def test_every_command_names_the_schema_of_its_json(command):
    assert command.schema in SCHEMAS or command.schema in ABOUT_JOURNAL


def test_common_options_stand_before_or_after_the_command():
    before = parse(["--json", "--socket", "/s", "agent", "list"])
    after = parse(["agent", "list", "--json", "--socket", "/s"])

    assert (before.json, before.socket) == (after.json, after.socket) == (True, "/s")


def test_the_config_of_an_agent_and_of_opmas_are_told_apart():
    args = parse(["--config", "/etc/x", "agent", "create", "web", "--config", "web.yaml"])

    assert (args.config_dir, args.config_file) == ("/etc/x", "web.yaml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], 'cannot run "opmas statsu": there is no such command; did you mean "status"'),
        (["agent", "strat"], 'cannot run "opmas agent strat".*did you mean "start"'),
        (["status", "--jsno"], 'cannot use "--jsno": `opmas status` has no such option; did you'),
        (["status", "web"], 'cannot use "web": `opmas status` has no such argument'),
        (["agent", "list", "--phase", "runing"], 'for --phase; did you mean "running"'),
        (["agent", "start"], "the following arguments are required: NAME"),
        (["agent", "logs", "web", "-n", "x"], "argument --lines/-n: invalid int value: 'x'"),
        (["--js"], 'cannot use "--js"'),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(words, said):
    with pytest.raises(UsageError, match=said) as raised:
        parse(words)

    assert "--help`" in raised.value.problems[0]


def test_no_command_is_no_error_but_asks_for_help():
    assert parse([]).command is None
    assert parse(["agent"]).command is None


def test_a_command_named_as_an_operand_of_another_is_no_matter():
    args = parse(["agent", "start", "status", "list"])

    assert args.names == ["status", "list"]
