"""How prometheus-node-exporter is called: what it can do is asked of it, not guessed."""

import pytest

from tests.unit.nodeexporter.exporter import program, settings

# In the words of version 1.5.0.
HELP = """usage: prometheus-node-exporter [<flags>]
      --collector.cpu.info       Enables metric cpu_info
      --collector.textfile.directory="/var/lib/prometheus/node-exporter"  
      --collector.cpu            Enable the cpu collector (default: enabled).
      --collector.powersupplyclass  
                                 Enable the powersupplyclass collector (default:
      --collector.systemd        Enable the systemd collector (default:
      --collector.disable-defaults  
      --web.listen-address=:9100 ...  
"""  # noqa: W291 - as it prints it
KNOWN = frozenset({"cpu", "powersupplyclass", "systemd"})


@pytest.fixture
def exporter(tmp_path):
    path = tmp_path / "prometheus-node-exporter"
    path.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{HELP}END\n")
    path.chmod(0o755)
    return str(path)


def test_its_collectors_are_read_from_its_help(exporter):
    assert program.collectors_of(exporter) == KNOWN


def test_its_collectors_are_read_from_the_help_of_newer_versions(tmp_path):
    newer = tmp_path / "prometheus-node-exporter"
    flags = HELP.replace("--collector.", "--[no-]collector.")
    newer.write_text(f"#!/bin/sh\ncat <<'END'\n{flags}END\n")
    newer.chmod(0o755)

    assert program.collectors_of(str(newer)) == KNOWN


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        program.collectors_of(str(tmp_path / "none"))


def test_each_setting_is_one_argument_and_what_is_switched_on_is_on():
    read = settings.read_settings(
        {
            "collectors": {"enable": ["cpu"], "disable": ["cpu", "systemd"]},
            "textfile_directory": "/srv/a b; rm -rf $HOME",
        }
    )

    assert program.arguments(read, KNOWN) == [
        "--web.systemd-socket",
        "--log.level=warn",
        "--collector.textfile.directory=/srv/a b; rm -rf $HOME",
        "--collector.cpu",
        "--no-collector.systemd",
    ]


def test_a_collector_that_is_to_be_off_and_is_not_there_is_not_named():
    read = settings.read_settings({"collectors": {"disable": ["wifi"]}})

    assert not [word for word in program.arguments(read, KNOWN) if "wifi" in word]


def test_a_collector_that_is_not_there_is_named_with_the_one_that_was_meant():
    read = settings.read_settings({"collectors": {"enable": ["sytemd"], "disable": []}})

    with pytest.raises(settings.SettingsError, match="no collector sytemd; did you mean systemd"):
        program.check_collectors(read, KNOWN)
