"""Bad input, by every way in: a clear error that names what is wrong, and nothing changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.manager.opmas import Opmas

BAD_NAMES = ("a/b", "..", "a\nb", "a%i", "a\\x2d", "x" * 300, "größe", "-rf", "A")


@pytest.fixture(scope="module")
def token(opmas: Opmas) -> str:
    done = opmas.run("token", "create", "--name", "bad-input", "--json")
    made: str = json.loads(done.stdout)["token"]
    return made


@pytest.fixture(autouse=True)
def nothing_changes(opmas: Opmas) -> Iterator[None]:
    """The agents and the unit files are after each test as they were before it."""
    before = everything(opmas)
    yield
    assert everything(opmas) == before


def everything(opmas: Opmas) -> tuple[Any, str]:
    agents = [a["name"] for a in opmas.call("agent.list")["agents"]]
    return agents, opmas.host.run(
        "find", "/etc/systemd", "/var/lib/opmas", "!", "-name", "*.db-*"
    ).stdout


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused_by_the_command(opmas: Opmas, name: str):
    done = opmas.run("agent", "create", "--package", "minimal", "--", name, check=False)

    assert done.returncode != 0
    assert "name" in done.stderr
    assert "lower-case" in done.stderr


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("web", "{", 400, "JSON"),
        ("web", '{"package": "minimal", "package": "x"}', 400, "package"),
        ("web", '{"package": "minimal", "colour": 1}', 422, "colour"),
        ("web", '{"package": 7}', 422, "package"),
        ("web", '{"package": "nobody"}', 422, "nobody"),
        (
            "web",
            '{"package": "minimal", "limits": {"memory_max": "many"}}',
            422,
            "limits.memory_max",
        ),
        ("web", '{"package": "hostwatch"}', 409, "network=observe"),
        ("web", '{"package": "crasher", "config": {"code": "x"}}', 422, "config.code"),
        ("a%2Fb", '{"package": "minimal"}', 404, ""),
        ("a%0Ab", '{"package": "minimal"}', 422, "lower-case"),
        ("%2e%2e", '{"package": "minimal"}', 422, "lower-case"),
        ("x" * 300, '{"package": "minimal"}', 422, "lower-case"),
    ],
)
def test_a_bad_request_is_a_problem_that_names_the_field(
    opmas: Opmas, token: str, path: str, body: str, status: int, named: str
):
    done = opmas.host.run(
        "curl", "-s", "--path-as-is", "-w", "\n%{http_code} %{content_type}", "-X", "PUT",
        "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json",
        "--data-binary", body, f"http://127.0.0.1:8420/v1/agents/{path}",
    )  # fmt: skip

    answer, _, ending = done.stdout.rpartition("\n")
    assert ending == f"{status} application/problem+json", done.stdout
    assert named in answer


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("api: opmas.agent/v1\nname: [", "agent.yaml"),
        ("name: evil\nnmae: evil\n", "nmae"),
        ("- 1\n", "mapping"),
        ("a: &a [x, x]\nb: [*a, *a", "agent.yaml"),
        ("summary: |\n  x\n  [Service]\n  ExecStart=/bin/sh\n", "summary"),
        ("command: ['/bin/true\n\n[Service]\n\nUser=root']\n", "command"),
    ],
)
def test_a_bad_package_is_refused_with_its_file_and_field(opmas: Opmas, text: str, named: str):
    opmas.host.run("mkdir", "-p", "/opt/agents/evil")
    opmas.host.run("tee", "/opt/agents/evil/agent.yaml", input=text)

    result = opmas.call("package.scan")

    [refusal] = [r for r in result["refused"] if "evil" in r["path"]]
    assert refusal["path"] == "/opt/agents/evil/agent.yaml"
    assert any(named in problem for problem in refusal["problems"])
    assert "evil" not in [p["name"] for p in opmas.call("package.list")["packages"]]


def test_a_bad_settings_file_is_named_with_all_its_faults_and_agents_run_on(opmas: Opmas):
    settings = opmas.host.root / "etc/opmas/opmas.yaml"
    good = settings.read_text()
    settings.write_text("manager:\n  sockt: /x\n  check_interval: often\n")

    done = opmas.host.run("/usr/lib/opmas/opmas-manager", check=False)
    settings.write_text(good)

    assert done.returncode == 78
    assert "/etc/opmas/opmas.yaml" in done.stderr
    assert "manager.sockt" in done.stderr
    assert "manager.check_interval" in done.stderr
