"""The drop-ins: exactly what an agent's says, and that grants alone widen it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.package.needs import needs_of
from opmas.core.unit.file import Place, render_dropin, render_probe_dropin, user_name
from opmas.core.unit.syntax import parse_unit
from opmas.errors import InvalidError
from tests.unit.core.manifests import PLACE, exec_manifest, python_manifest, spec

HOMES_EMPTY: list[tuple[str, tuple[str, ...]]] = [
    ("ProtectHome", ("tmpfs",)),
    (
        "TemporaryFileSystem",
        ("/home:ro,mode=0755", "/root:ro,mode=0755", "/run/user:ro,mode=0755"),
    ),
]


def settings(text: str) -> dict[str, tuple[str, ...]]:
    """The last value of each setting."""
    return {each.key: each.values for each in parse_unit(text)}


def widened(sandbox: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """What the drop-in has more when all that the sandbox asks for is granted."""
    manifest = exec_manifest(sandbox=sandbox)
    grants = tuple(need.name for need in needs_of(manifest))
    closed = parse_unit(render_dropin(spec(), manifest, PLACE))
    opened = parse_unit(render_dropin(spec(grants=grants), manifest, PLACE))
    return [(each.key, each.values) for each in opened if each not in closed]


def test_the_drop_in_of_a_python_agent_says_only_what_is_its_own() -> None:
    manifest = python_manifest(limits={"memory_max": "64M", "tasks_max": 16}, after=["db"])

    text = render_dropin(spec(limits=Limits(cpu_quota=20, io_weight=70)), manifest, PLACE)

    assert (
        text
        == """\
# Written by opmas-manager for opmas-agent@web.service: it is replaced at every change.
# Change the agent with opmas(1). To override a setting of systemd, add a drop-in:
# systemctl edit opmas-agent@web.service

[Unit]
Description=OPMAS agent web: pings what it is told to (pinger 1.2.0)
After=opmas-agent@db.service

[Service]
Type=notify
User=_opmas-web
ExecStart=
ExecStart=/usr/bin/python3 -sP -m opmas.agent --path /usr/lib/opmas/agents/pinger pinger:Pinger
Environment=CREDENTIALS_DIRECTORY=/run/opmas-credentials
BindReadOnlyPaths=/var/lib/opmas/agents/web/config.json:/run/opmas-credentials/config.json
MemoryMax=67108864
MemoryHigh=50331648
TasksMax=16
CPUQuota=20%
CPUWeight=50
IOWeight=70
TimeoutStartSec=30
TimeoutStopSec=15
WatchdogSec=10
"""
    )


def test_a_program_below_the_package_is_run_from_there_with_its_arguments_as_written() -> None:
    arguments = ["a b", '"', "\\", "%i", "$HOME", ";", "", "'", "{}", "\\n"]
    manifest = exec_manifest(command=["./bin/agent", *arguments])

    text = render_dropin(spec(), manifest, PLACE)

    program = "/usr/lib/opmas/agents/pinger/bin/agent"
    assert settings(text)["ExecStart"] == (program, *arguments)
    assert (
        f'ExecStart={program} "a b" "\\"" "\\\\" "%%i" "$$HOME" ";" "" "\'" "{{}}" "\\\\n"\n'
        in text
    )


def test_the_agent_and_its_health_check_are_one_user() -> None:
    manifest = exec_manifest(health_check={"command": ["/usr/bin/check"]})

    agent = settings(render_dropin(spec(), manifest, PLACE))
    probe = settings(render_probe_dropin(spec(), manifest, PLACE))

    assert agent["User"] == probe["User"] == ("_opmas-web",)


def test_the_user_s_name_is_short_enough_for_any_agent() -> None:
    assert user_name("a" * 24) == f"_opmas-{'a' * 24}"
    assert user_name("a" * 63) == f"_opmas-{'a' * 15}-7d3e74a0"


def test_two_agents_with_long_names_are_two_users() -> None:
    assert user_name("a" * 63) != user_name("a" * 62)


def test_a_health_check_over_http_is_run_by_the_sdk_s_probe_in_time() -> None:
    manifest = exec_manifest(
        sandbox={"network": "loopback"},
        health_check={"http": "http://127.0.0.1:9100/?q=$a%20b", "timeout": 3},
    )

    probe = settings(render_probe_dropin(spec(grants=("network=loopback",)), manifest, PLACE))

    assert probe["ExecStart"] == (
        "/usr/bin/python3",
        "-sP",
        "-m",
        "opmas.agent.probe",
        "http",
        "http://127.0.0.1:9100/?q=$a%20b",
        "3",
    )
    assert probe["TimeoutStartSec"] == ("4",)
    assert probe["PrivateNetwork"] == ("no",)


def test_a_check_by_a_program_gets_its_exact_time() -> None:
    manifest = exec_manifest(health_check={"command": ["./check"], "timeout": 3})

    probe = settings(render_probe_dropin(spec(), manifest, PLACE))

    assert probe["ExecStart"] == ("/usr/lib/opmas/agents/pinger/check",)
    assert probe["TimeoutStartSec"] == ("3",)


def test_a_package_without_a_health_check_has_no_drop_in_of_one() -> None:
    with pytest.raises(InvalidError, match="has none"):
        render_probe_dropin(spec(), exec_manifest(), PLACE)


def test_nothing_is_opened_that_was_not_granted() -> None:
    sandbox = {
        "network": "full",
        "bus": True,
        "write": ["/srv"],
        "capabilities": ["CAP_SYS_ADMIN"],
    }

    asked = render_dropin(spec(), exec_manifest(sandbox=sandbox), PLACE)

    assert asked == render_dropin(spec(), exec_manifest(), PLACE)


@pytest.mark.parametrize(
    ("sandbox", "opened"),
    [
        (
            {"network": "observe"},
            [("PrivateNetwork", ("no",)), ("RestrictAddressFamilies", ("AF_NETLINK",))],
        ),
        (
            {"network": "loopback"},
            [
                ("PrivateNetwork", ("no",)),
                ("RestrictAddressFamilies", ("AF_NETLINK", "AF_INET", "AF_INET6")),
                ("IPAddressAllow", ("localhost",)),
            ],
        ),
        (
            {"network": "full"},
            [
                ("PrivateNetwork", ("no",)),
                ("RestrictAddressFamilies", ("AF_NETLINK", "AF_INET", "AF_INET6")),
                ("IPAddressDeny", ()),
            ],
        ),
        (
            {"proc": "host"},
            [
                ("ProcSubset", ("all",)),
                ("BindReadOnlyPaths", ("-/proc/1/mounts",)),
                ("BindReadOnlyPaths", ("-/proc/1/mountinfo",)),
            ],
        ),
        ({"bus": True}, [("InaccessiblePaths", ())]),
        ({"read": ["/var/log/x y"]}, [("BindReadOnlyPaths", ("-/var/log/x y",))]),
        (
            {"read": ["/home/www"]},
            [*HOMES_EMPTY, ("BindReadOnlyPaths", ("-/home/www",))],
        ),
        ({"write": ["/srv/out"]}, [("ReadWritePaths", ("-/srv/out",))]),
        ({"write": ["/root/x"]}, [*HOMES_EMPTY, ("BindPaths", ("-/root/x",))]),
        ({"write": ["/tmp/shared"]}, [("BindPaths", ("-/tmp/shared",))]),
        ({"groups": ["adm", "video"]}, [("SupplementaryGroups", ("adm", "video"))]),
        (
            {"capabilities": ["CAP_SYSLOG", "CAP_KILL"]},
            [
                ("CapabilityBoundingSet", ("CAP_SYSLOG", "CAP_KILL")),
                ("AmbientCapabilities", ("CAP_SYSLOG", "CAP_KILL")),
                ("PrivateUsers", ("no",)),
                ("ProtectKernelLogs", ("no",)),
                ("SystemCallFilter", ("syslog",)),
            ],
        ),
    ],
)
def test_a_need_opens_what_it_names_and_nothing_else(
    sandbox: dict[str, Any], opened: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert widened(sandbox) == opened


def test_in_development_python_agents_import_from_the_checkout() -> None:
    place = replace(PLACE, python="/opt/py/bin/python3", pythonpath="/home/me/opmas")

    text = render_dropin(spec(), python_manifest(), place)

    assert settings(text)["ExecStart"][0] == "/opt/py/bin/python3"
    assert settings(text)["Environment"] == ("PYTHONPATH=/home/me/opmas",)
    assert settings(text)["BindReadOnlyPaths"] == ("-/home/me/opmas",)


def test_an_agent_is_not_ordered_after_itself() -> None:
    text = render_dropin(spec(after=("web", "db")), python_manifest(after=["web"]), PLACE)

    assert settings(text)["After"] == ("opmas-agent@db.service",)


@pytest.mark.parametrize(
    "place",
    [
        Place("/x\n[Service]\nUser=root", "/c"),
        Place("/x", "/c\nUser=root"),
        Place("/x", "/c\\"),
        Place("/x", "/c:d"),
        Place("/x", "/c", python="python3"),
        Place("/x", "/c", python="/usr/bin/$py"),
        Place("/x", "/c", pythonpath="/a\x00b"),
        Place("/x\u202e", "/c"),
        Place("/home/a:b", "/c"),
        Place("/x\ud800", "/c"),
    ],
)
def test_what_no_unit_file_can_hold_is_refused(place: Place) -> None:
    with pytest.raises(InvalidError):
        render_dropin(spec(), python_manifest(), place)


@pytest.mark.parametrize("name", ["a/b", "..", "a\nb", "50%", "a\\b", "x" * 300, "caf\u00e9", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidError):
        render_dropin(spec(name=name), python_manifest(), PLACE)
    with pytest.raises(InvalidError):
        render_dropin(spec(after=(name,)), python_manifest(), PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "Type=exec",
        "[Service]\nRootDirectory=/x",
        "[Service]\nDescription=100%i",
        "[Service]\nExecStart=/bin/x $HOME",
        "[Service]\nExecStart=/bin/x 'a'",
        '[Service]\nExecStart=/bin/x "a',
        '[Service]\nExecStart=/bin/x "\\x41"',
        "[Service]\nType",
    ],
)
def test_a_unit_that_opmas_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="cannot read unit file"):
        parse_unit(text)


def test_a_continued_line_is_read_as_systemd_reads_it() -> None:
    found = parse_unit("[Service]\n# c\nExecStart=/bin/x \\\n; comment\n  a\n")

    assert found[0].values == ("/bin/x", "a")
