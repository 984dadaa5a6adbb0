import pytest

from opmas import errors
from opmas.cli.exits import MEANINGS, Exit, FailedError, UsageError, exit_for
from opmas.cli.failure import error_document, render_error
from opmas.cli.text import COLOURED, PLAIN


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.OpmasError, 70),
        (errors.ConfigError, 6),
        (errors.RequestError, 6),
        (errors.InvalidError, 6),
        (errors.UnknownAgentError, 3),
        (errors.UnknownPackageError, 3),
        (errors.UnknownVersionError, 3),
        (errors.UnknownChangeError, 3),
        (errors.InUseError, 6),
        (errors.BadSignatureError, 6),
        (errors.UnsignedBundleError, 6),
        (errors.DiskSpaceError, 7),
        (errors.AgentExistsError, 6),
        (errors.TransitionError, 6),
        (errors.RevisionError, 6),
        (errors.GrantError, 6),
        (errors.AccessDeniedError, 5),
        (errors.BackendError, 7),
        (errors.ManagerError, 4),
        (errors.SystemdError, 7),
        (errors.StoreError, 7),
        (UsageError, 2),
        (FailedError, 1),
    ],
)
def test_every_error_has_its_exit_code(kind, code):
    assert exit_for(kind("cannot")) == code


def test_no_error_of_opmas_ends_as_a_bug_but_the_base():
    known = set(errors.BY_CODE.values()) - {errors.OpmasError}

    assert [kind for kind in known if exit_for(kind("cannot")) is Exit.BUG] == []


def test_every_exit_code_is_explained():
    assert set(MEANINGS) == set(Exit)


def test_an_error_is_a_sentence_and_its_problems_one_a_line():
    error = errors.InvalidError("cannot use x.yaml", ("a: missing", "b: \x1b[2J"))

    text = render_error(error, PLAIN)

    assert text == "opmas: cannot use x.yaml\n  a: missing\n  b: \\x1b[2J"


def test_a_manager_that_is_away_is_no_reason_for_panic():
    text = render_error(errors.ManagerError("cannot reach the manager"), COLOURED)

    assert "agents run on without it" in text
    assert text.startswith("\x1b[31mopmas:\x1b[0m cannot reach")


def test_an_error_for_programs_has_its_code():
    document = error_document(errors.UnknownAgentError('cannot find agent "x"', ("p",)))

    assert document == {
        "schema": "opmas.error/v1",
        "code": "unknown-agent",
        "message": 'cannot find agent "x"',
        "problems": ["p"],
        "exit_code": 3,
    }
