import subprocess
import sys

import pytest

from opmas.cli.completion import render_bash

ASK = """
opmas() { printf '%s\\n' web-1 web-2 db; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_opmas
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    """Return what bash offers for the last word."""
    argv = ["bash", "-c", render_bash() + ASK, "bash", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("opmas", "st"), ["status"]),
        (("opmas", "agent", "re"), ["restart", "remove"]),
        (("opmas", "--json", "agent", "re"), ["restart", "remove"]),
        (("opmas", "--socket", "/x", "agent", "re"), ["restart", "remove"]),
        (("opmas", "agent", "start", "web"), ["web-1", "web-2"]),
        (("opmas", "agent", "start", "db", "web"), ["web-1", "web-2"]),
        (("opmas", "agent", "start", "db", "--no"), ["--no-wait"]),
        (("opmas", "agent", "list", "--phase", "run"), ["running"]),
        (("opmas", "events", "--agent", "d"), ["db"]),
        (("opmas", "events", "--se"), []),
        (("opmas", "events", "--si"), ["--since"]),
        (("opmas", "package", "show", "w"), ["web-1", "web-2"]),
        (("opmas", "change", "undo", "web"), ["web-1", "web-2"]),
        (
            ("opmas", "change", "list", "--state", "rev"),
            ["reverting", "reverted", "revert-failed"],
        ),
        (("opmas", "key", "re"), ["revoke"]),
        (("opmas", "completion", "b"), ["bash"]),
        (("opmas", "status", "x"), []),
    ],
)
def test_bash_offers_what_fits(words, offered):
    assert complete(*words) == offered


def test_bash_offers_files_where_a_file_is_asked_for(tmp_path):
    (tmp_path / "web.yaml").touch()

    offered = complete("opmas", "agent", "create", "--config", f"{tmp_path}/w")

    assert offered == [f"{tmp_path}/web.yaml"]


def test_names_are_nothing_when_the_manager_is_away(tmp_path):
    argv = [sys.executable, "-m", "opmas", "completion", "agents", "--socket", f"{tmp_path}/none"]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
