import argparse
import io

import pytest

from opmas.cli.session import Session
from opmas.cli.text import COLOURED, PLAIN
from opmas.errors import ConfigError


class Terminal(io.StringIO):
    def isatty(self):
        return True


def session(environ=None, **options):
    return Session(argparse.Namespace(**options), environ or {})


def test_the_socket_is_the_options_before_the_environments_before_the_files(tmp_path):
    (tmp_path / "opmas.yaml").write_text("manager:\n  socket: /from/file.sock\n")
    there = {"config_dir": str(tmp_path)}
    environ = {"OPMAS_MANAGER_SOCKET": "/from/environment.sock"}

    assert session(environ, socket="/from/option.sock", **there).socket == "/from/option.sock"
    assert session(environ, **there).socket == "/from/environment.sock"
    assert session(**there).socket == "/from/file.sock"


@pytest.mark.parametrize("text", ["manager:\n  #socket: /x\n", "api:\n  socket: /x\n", "", "\xff"])
def test_a_file_that_does_not_set_the_socket_leaves_the_default(tmp_path, text):
    (tmp_path / "opmas.yaml").write_text(text, encoding="latin-1")

    assert session(config_dir=str(tmp_path)).socket == "/run/opmas/manager.sock"


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "opmas.yaml").write_text("manager:\n socket: [\n")

    with pytest.raises(ConfigError, match=r"opmas\.yaml"):
        _ = session(config_dir=str(tmp_path)).socket


@pytest.mark.parametrize(
    ("environ", "stream", "palette"),
    [
        ({}, Terminal(), COLOURED),
        ({}, io.StringIO(), PLAIN),
        ({"NO_COLOR": "1"}, Terminal(), PLAIN),
        ({"NO_COLOR": ""}, Terminal(), COLOURED),
        ({"TERM": "dumb"}, Terminal(), PLAIN),
    ],
)
def test_colour_is_for_terminals_that_want_it(environ, stream, palette):
    assert session(environ).palette(stream) is palette


def test_the_author_behind_sudo_is_the_one_who_typed(monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 0)

    assert session({"SUDO_USER": "alice"}).author == "alice"
    assert session().author == "root"
