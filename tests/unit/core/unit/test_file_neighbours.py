"""The drop-ins on what is around an agent: its neighbours, its hooks, its package's place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.package.manifest import Hooks
from opmas.core.unit.file import Place, render_dropin, render_hook_dropin, render_probe_dropin
from opmas.core.unit.syntax import Setting, parse_unit
from opmas.errors import InvalidError
from tests.unit.core.manifests import PLACE, exec_manifest, python_manifest, spec

INSTALLED = Place("/var/lib/opmas/packages/pinger/1.2.0", "/var/lib/opmas/agents/web/config.json")


def values(text: str, key: str) -> list[tuple[str, ...]]:
    return [each.values for each in parse_unit(text) if each.key == key]


def test_what_is_required_binds_and_what_is_wanted_is_only_waited_for() -> None:
    manifest = python_manifest(requires=["db"], wants=["cache"], after=["log"])

    text = render_dropin(spec(after=("own", "db")), manifest, PLACE)

    assert values(text, "BindsTo") == [("opmas-agent@db.service",)]
    assert values(text, "After") == [
        (
            "opmas-agent@db.service",
            "opmas-agent@cache.service",
            "opmas-agent@log.service",
            "opmas-agent@own.service",
        )
    ]
    assert "Wants=" not in text


def test_an_agent_does_not_depend_on_itself() -> None:
    text = render_dropin(spec(name="db"), python_manifest(requires=["db"]), PLACE)

    assert "BindsTo" not in text
    assert "After" not in text


def test_hooks_of_a_program_are_run_around_it() -> None:
    manifest = exec_manifest(hooks={"check": ["./check", "-q"], "pre_stop": ["/bin/drain", "$x"]})

    text = render_dropin(spec(), manifest, PLACE)

    assert values(text, "ExecStartPre") == [("/usr/lib/opmas/agents/pinger/check", "-q")]
    assert values(text, "ExecStop") == [("-/bin/drain", "$x")]


def test_a_function_is_run_by_the_sdk() -> None:
    manifest = python_manifest(hooks={"check": "pinger.start:check"})

    text = render_dropin(spec(), manifest, PLACE)

    module = ("-sP", "-m", "opmas.agent.hook", "--path", "/usr/lib/opmas/agents/pinger")
    assert values(text, "ExecStartPre") == [("/usr/bin/python3", *module, "pinger.start:check")]


def test_a_migration_has_all_that_the_agent_has_and_knows_both_versions() -> None:
    manifest = python_manifest(
        hooks={"migrate": "pinger:migrate"},
        timeouts={"migrate": 90},
        sandbox={"network": "full", "read": ["/srv/www"]},
    )
    granted = spec(grants=("read=/srv/www",), limits=Limits(tasks_max=7))

    text = render_hook_dropin(granted, manifest, INSTALLED, "1.1.0", "1.2.0")

    assert (
        text
        == """\
# Written by opmas-manager for opmas-hook@web.service: it is replaced at every change.
# Change the agent with opmas(1). To override a setting of systemd, add a drop-in:
# systemctl edit opmas-hook@web.service

[Service]
User=_opmas-web
ExecStart=
ExecStart=/usr/bin/python3 -sP -m opmas.agent.hook --path /var/lib/opmas/packages/pinger/1.2.0\
 pinger:migrate
Environment=CREDENTIALS_DIRECTORY=/run/opmas-credentials
BindReadOnlyPaths=/var/lib/opmas/agents/web/config.json:/run/opmas-credentials/config.json
Environment=OPMAS_FROM_VERSION=1.1.0
Environment=OPMAS_TO_VERSION=1.2.0
MemoryMax=268435456
MemoryHigh=201326592
TasksMax=7
CPUQuota=100%
CPUWeight=50
IOWeight=50
TimeoutStartSec=90
TemporaryFileSystem=/var/lib/opmas:ro,mode=0755
BindReadOnlyPaths=-/var/lib/opmas/packages/pinger/1.2.0
BindReadOnlyPaths=-/srv/www
"""
    )


def test_a_package_without_a_migration_has_no_drop_in_of_one() -> None:
    with pytest.raises(InvalidError, match="has none"):
        render_hook_dropin(spec(), python_manifest(), PLACE, "1", "2")


@pytest.mark.parametrize("version", ["1\n[Service]\nUser=root", "1\x00", "\u2028"])
def test_a_version_that_no_unit_can_hold_is_refused(version: str) -> None:
    manifest = replace(python_manifest(), hooks=Hooks(migrate=("a:b",)))

    with pytest.raises(InvalidError):
        render_hook_dropin(spec(), manifest, PLACE, version, "2")


def test_an_installed_package_is_shown_where_it_is_and_nothing_beside_it() -> None:
    manifest = exec_manifest(command=["./run"], health_check={"command": ["./check"]})
    shown = [
        Setting("Service", "TemporaryFileSystem", ("/var/lib/opmas:ro,mode=0755",)),
        Setting("Service", "BindReadOnlyPaths", ("-/var/lib/opmas/packages/pinger/1.2.0",)),
    ]

    agent = parse_unit(render_dropin(spec(), manifest, INSTALLED))
    probe = parse_unit(render_probe_dropin(spec(), manifest, INSTALLED))

    assert [each for each in agent if each in shown] == shown
    assert [each for each in probe if each in shown] == shown


def test_a_package_of_the_system_is_there_anyway() -> None:
    assert "TemporaryFileSystem" not in render_dropin(spec(), python_manifest(), PLACE)


def test_the_homes_and_the_state_directory_are_emptied_in_one_line() -> None:
    manifest = exec_manifest(sandbox={"read": ["/home/www"]})

    text = render_dropin(spec(grants=("read=/home/www",)), manifest, INSTALLED)

    assert values(text, "TemporaryFileSystem") == [
        (
            "/home:ro,mode=0755",
            "/root:ro,mode=0755",
            "/run/user:ro,mode=0755",
            "/var/lib/opmas:ro,mode=0755",
        )
    ]
