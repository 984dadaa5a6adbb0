"""agent.yaml: what it says when it says little, and how each fault is named."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.core.agent.terms import Limits
from opmas.core.package.manifest import (
    EventTypes,
    HealthCheck,
    Manifest,
    Network,
    Proc,
    Runtime,
    Sandbox,
    Service,
    Timeouts,
    parse_manifest,
)
from opmas.errors import InvalidError
from tests.unit.core.manifests import exec_document, python_document


def problems_of(document: object) -> tuple[str, ...]:
    with pytest.raises(InvalidError) as refused:
        parse_manifest(document, where="/x/agent.yaml")
    assert refused.value.message.startswith("cannot read /x/agent.yaml: ")
    return refused.value.problems


def test_a_python_package_that_asks_for_nothing_gets_the_closed_defaults() -> None:
    manifest = parse_manifest(python_document(), where="agent.yaml")

    assert manifest == Manifest(
        name="pinger",
        version="1.2.0",
        summary="pings what it is told to",
        runtime=Runtime.PYTHON,
        entry="pinger:Pinger",
        service=Service.NOTIFY,
        sandbox=Sandbox(),
        limits=Limits(),
        timeouts=Timeouts(start=30, stop=15, watchdog=10),
    )


def test_a_program_has_no_watchdog_unless_it_says_that_it_feeds_one() -> None:
    manifest = parse_manifest(exec_document(), where="agent.yaml")

    assert manifest.service is Service.EXEC
    assert manifest.timeouts.watchdog == 0
    assert manifest.command == ("/usr/bin/pinger",)


def test_everything_that_can_be_said_is_read() -> None:
    document = exec_document(
        service="notify",
        config={"schema": {"type": "object"}, "defaults": {"every": 3}},
        sandbox={
            "network": "loopback",
            "proc": "host",
            "read": ["/home/www"],
            "write": ["/srv/out"],
            "capabilities": ["CAP_NET_RAW"],
            "groups": ["adm"],
            "bus": True,
        },
        limits={"memory_max": "64M", "cpu_quota": "20%", "tasks_max": 16},
        timeouts={"start": 60, "stop": 5, "watchdog": 20},
        after=["db"],
        health_check={"http": "http://127.0.0.1:9100/", "period": 10, "timeout": 2, "failures": 4},
        events={"publishes": ["threshold.crossed"], "subscribes": ["opmas.agent.phase"]},
        license="MIT",
    )

    manifest = parse_manifest(document, where="agent.yaml")

    assert manifest.defaults == {"every": 3}
    assert manifest.sandbox == Sandbox(
        Network.LOOPBACK,
        Proc.HOST,
        ("/home/www",),
        ("/srv/out",),
        ("CAP_NET_RAW",),
        ("adm",),
        True,
    )
    assert manifest.limits == Limits(memory_max=64 << 20, cpu_quota=20, tasks_max=16)
    assert manifest.timeouts == Timeouts(60, 5, 20)
    assert manifest.health_check == HealthCheck(
        http="http://127.0.0.1:9100/", period=10, timeout=2, failures=4
    )
    assert manifest.events == EventTypes(("threshold.crossed",), ("opmas.agent.phase",))


def test_all_faults_are_named_at_once() -> None:
    document = python_document(
        api="opmas.agent/v9",
        name="Pinger",
        sumary="x",
        sandbox={"network": "lan", "proc": "hots", "read": ["etc", "/a/../b"]},
        limits={"memory_max": "lots"},
    )
    del document["version"]

    assert problems_of(document) == (
        'api: must be "opmas.agent/v1", not "opmas.agent/v9"',
        (
            "name: must be 1 to 63 lower-case letters, digits and inner hyphens,"
            ' like "web-2", not "Pinger"'
        ),
        "version: is missing",
        'sandbox.network: must be one of none, observe, loopback, full, not "lan"',
        'sandbox.proc: must be one of own, host, not "hots"; did you mean "host"?',
        'sandbox.read[0]: must be an absolute path (it starts with "/"), not "etc"',
        (
            'sandbox.read[1]: must be a plain path, without "//", ".", ".." and a "/" at the end,'
            ' not "/a/../b"'
        ),
        'limits.memory_max: must be a size like 64M, from 1M to 1024T, not "lots"',
        'sumary: unknown key; did you mean "summary"?',
    )


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"version": 1.0},
            (
                "version: must be a version as in PEP 440, like 1.2.0, not 1.0"
                ' (put it in quotes: "1.0")'
            ),
        ),
        ({"version": "one"}, 'version: must be a version as in PEP 440, like 1.2.0, not "one"'),
        ({"name": "a/../b"}, "name: must be 1 to 63"),
        ({"name": "a\n[Service]"}, r'not "a\n[Service]"'),
        ({"name": "x" * 300}, "name: must be 1 to 63"),
        ({"name": "caf\u00e9"}, "name: must be 1 to 63"),
        ({"name": "50%i"}, "name: must be 1 to 63"),
        ({"summary": "two\nlines"}, "summary: must be one line of printable characters"),
        ({"summary": "x" * 101}, "summary: must be at most 100 characters, not 101"),
        ({"summary": "  "}, "summary: must not be empty"),
        ({"entry": "pinger"}, "entry: must be module:Class"),
        ({"entry": "-c:x"}, "entry: must be module:Class"),
        ({"sandbox": {"bus": 1}}, "sandbox.bus: must be true or false, not 1"),
        ({"sandbox": {"network": False}}, "(YAML reads a bare yes, no, on, off as true or false"),
        ({"sandbox": {"read": "/x"}}, 'sandbox.read: must be a list like [a, b], not "/x"'),
        ({"sandbox": {"write": ["/"]}}, "sandbox.write[0]: cannot be opened"),
        ({"sandbox": {"write": ["/proc/sys"]}}, "sandbox.write[0]: cannot be opened"),
        ({"sandbox": {"read": ["/srv/a:b"]}}, "sandbox.read[0]: must be a path without quotes"),
        ({"sandbox": {"capabilities": ["NET_RAW"]}}, 'did you mean "CAP_NET_RAW"?'),
        ({"sandbox": {"groups": ["a b"]}}, "sandbox.groups[0]: must be the name of a group"),
        ({"sandbox": []}, "sandbox: must be a mapping of keys to values, not a list"),
        ({"limits": {"tasks_max": True}}, "limits.tasks_max: must be a whole number"),
        ({"limits": {"memory_max": "8M", "memory_high": "9M"}}, "limits.memory_high: must not be"),
        ({"timeouts": {"watchdog": 0}}, "timeouts.watchdog: must be a whole number from 1"),
        ({"after": ["a b"]}, "after[0]: must be 1 to 63"),
        ({"command": ["/bin/x"]}, "command: has no meaning with runtime: python"),
        ({"health_check": {"tcp": "a:1"}}, "health_check: has no meaning with runtime: python"),
        ({"config": {"schema": True}}, "config.schema: must be a mapping"),
        ({"config": {"defaults": {1: 2}}}, "config.defaults: the key 1 must be text"),
        (
            {"config": {"defaults": {"a": [float("nan")]}}},
            "config.defaults.a[0]: must be a finite",
        ),
        (
            {"events": {"publishes": ["A b"]}},
            "events.publishes[0]: must be dotted lower-case words",
        ),
    ],
)
def test_a_fault_of_a_python_package_is_named(changed: dict[str, Any], problem: str) -> None:
    found = problems_of(python_document(**changed))

    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"command": []}, "command: must not be empty: its first item is the program"),
        (
            {"command": ["pinger"]},
            "command[0]: must be an absolute path, or one below the package",
        ),
        (
            {"command": ["./../x"]},
            "command[0]: must be an absolute path, or one below the package",
        ),
        ({"command": ["/bin/$x"]}, "command[0]: must be the path of a program, without $"),
        ({"command": ["/bin/x", "a\nb"]}, "command[1]: must be one line of printable characters"),
        ({"command": ["/bin/x", 3]}, 'command[1]: must be text, not 3 (put it in quotes: "3")'),
        ({"command": "/bin/x"}, "command: must be a list like [a, b]"),
        ({"entry": "a:B"}, "entry: has no meaning with runtime: exec"),
        ({"service": "forking"}, "service: must be one of exec, notify"),
        ({"timeouts": {"watchdog": 5}}, "timeouts.watchdog: needs service: notify"),
        ({"health_check": {}}, "health_check: must have exactly one of command, http and tcp"),
        (
            {"health_check": {"command": ["/x"], "tcp": "a:1"}, "sandbox": {"network": "full"}},
            "health_check: must have exactly one of command, http and tcp",
        ),
        ({"health_check": {"tcp": "a:1"}}, "health_check.tcp: needs sandbox.network: loopback"),
        (
            {"health_check": {"command": ["/x"], "timeout": 9, "period": 8}},
            "health_check.timeout: must not be above period (8)",
        ),
        (
            {"health_check": {"http": "ftp://x"}, "sandbox": {"network": "full"}},
            "health_check.http: must be a URL like",
        ),
    ],
)
def test_a_fault_of_a_program_s_package_is_named(changed: dict[str, Any], problem: str) -> None:
    found = problems_of(exec_document(**changed))

    assert any(problem in each for each in found)


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_a_document_that_is_no_mapping_is_refused(document: object) -> None:
    assert problems_of(document)


@pytest.mark.parametrize("version", ["1", "1.0", "2!1.0rc1", "1.0.post1.dev2+deb12.1", "v1.0-1"])
def test_every_form_of_a_version_is_read(version: str) -> None:
    assert parse_manifest(python_document(version=version), where="x").version == version
