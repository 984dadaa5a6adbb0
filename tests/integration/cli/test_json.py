"""Every --json against the JSON Schemas that docs/reference/json.md shows."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

TOP = Path(__file__).parents[3]
REFERENCE = (TOP / "docs/reference/json.md").read_text(encoding="utf-8")
BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", REFERENCE, re.DOTALL)]
SCHEMAS = {schema["title"]: schema for schema in BLOCKS}


def check(text, name):
    document = json.loads(text)
    jsonschema.validate(document, SCHEMAS[name])
    return document


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("status",), "opmas.status/v1"),
        (("agent", "list"), "opmas.agent-list/v1"),
        (("agent", "show", "web"), "opmas.agent/v1"),
        (("agent", "show", "idle"), "opmas.agent/v1"),
        (("agent", "explain", "web"), "opmas.explanation/v1"),
        (("agent", "limits"), "opmas.agent-limits/v1"),
        (("agent", "limits", "web"), "opmas.agent-limits/v1"),
        (("agent", "create", "new", "--package", "demo"), "opmas.agent/v1"),
        (("agent", "update", "web", "--set", "a=1"), "opmas.agent/v1"),
        (("agent", "create", "hostwatch", "--dry-run"), "opmas.agent-plan/v1"),
        (("agent", "update", "web", "--set", "a=1", "--dry-run"), "opmas.agent-plan/v1"),
        (("agent", "start", "web"), "opmas.agent-results/v1"),
        (("agent", "stop", "web", "nobody"), "opmas.agent-results/v1"),
        (("agent", "restart", "web", "--no-wait"), "opmas.agent-results/v1"),
        (("agent", "remove", "web", "--yes"), "opmas.agent-results/v1"),
        (("package", "list"), "opmas.package-list/v1"),
        (("package", "show", "hostwatch"), "opmas.package/v1"),
        (("package", "scan"), "opmas.package-scan/v1"),
        (("agent", "update", "web", "--version", "1.1.0"), "opmas.change/v1"),
        (("agent", "update", "web", "--version", "1.1.0", "--dry-run"), "opmas.change/v1"),
        (("agent", "rollback", "web", "--version", "1.1.0"), "opmas.change/v1"),
        (("agent", "remove", "web", "--dry-run"), "opmas.change-list/v1"),
        (("package", "install", "demo"), "opmas.change/v1"),
        (("package", "install", "demo", "--no-wait"), "opmas.change/v1"),
        (("package", "update", "demo"), "opmas.change-list/v1"),
        (("package", "update", "demo", "--dry-run"), "opmas.change-list/v1"),
        (("package", "rollback", "demo", "--version", "1.1.0"), "opmas.change-list/v1"),
        (("package", "remove", "hostwatch"), "opmas.change/v1"),
        (("package", "hold", "demo"), "opmas.package/v1"),
        (("package", "unhold", "demo"), "opmas.package/v1"),
        (("change", "list"), "opmas.change-list/v1"),
        (("change", "show", "1"), "opmas.change/v1"),
        (("change", "wait", "1"), "opmas.change/v1"),
        (("change", "undo", "1"), "opmas.change/v1"),
        (("events",), "opmas.event-list/v1"),
        (("events", "--since", "1h"), "opmas.event-list/v1"),
        (("doctor",), "opmas.doctor/v1"),
        (("version",), "opmas.version/v1"),
    ],
)
def test_what_a_command_prints_has_its_documented_shape(opmas, manager, web, words, name):
    manager.host.agent_put("idle", "demo", desired="stopped")
    manager.host.crash("web")

    done = opmas(*words, "--json")

    document = check(done.stdout, name)
    assert document["schema"] == name
    assert next(iter(document)) == "schema"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("agent", "show", "nobody"), "unknown-agent"),
        (("agent", "create", "hostwatch"), "grant-required"),
        (("agent", "show"), "usage"),
        (("status", "--socket", "/no/such"), "manager-unavailable"),
        (("agent", "update", "web", "--config", "/no/such"), "invalid-value"),
    ],
)
def test_an_error_is_a_document_on_standard_error(opmas, web, words, code):
    done = opmas(*words, "--json")

    error = check(done.stderr, "opmas.error/v1")
    assert done.stdout == ""
    assert (error["code"], error["exit_code"]) == (code, done.returncode)


def test_results_hold_the_errors_of_single_agents(opmas, web):
    done = opmas("agent", "restart", "nobody", "web", "--json")

    results = check(done.stdout, "opmas.agent-results/v1")["results"]
    assert [(r["name"], r["ok"]) for r in results] == [("nobody", False), ("web", True)]
    assert results[0]["error"]["code"] == "unknown-agent"
    assert done.returncode == 3


def test_the_token_documents(opmas, tmp_path):
    (tmp_path / "api.yaml").write_text(f"api:\n  database: {tmp_path}/api/api.db\n")
    there = ("--config", str(tmp_path), "--json")

    check(opmas("token", "create", "--name", "ci", *there).stdout, "opmas.token-created/v1")
    check(opmas("token", "list", *there).stdout, "opmas.token-list/v1")
    check(opmas("token", "revoke", "ci", *there).stdout, "opmas.token/v1")


def test_the_documents_of_bundles_and_keys(opmas, tmp_path):
    (tmp_path / "nap").mkdir()
    (tmp_path / "nap/agent.yaml").write_text(
        "{api: opmas.agent/v1, name: nap, version: 1.0.0, summary: Sleeps,"
        " runtime: exec, command: [/bin/sleep, infinity]}"
    )
    key, nap = str(tmp_path / "release.key"), str(tmp_path / "nap")
    output = ("--output", str(tmp_path))

    def shown(name, *words):
        there = {"OPMAS_PACKAGES_TRUSTED_KEYS": str(tmp_path / "trusted")}
        return check(opmas(*words, "--json", **there).stdout, name)

    shown("opmas.key-created/v1", "key", "new", "--output", key)
    shown("opmas.key/v1", "key", "trust", str(tmp_path / "release.pub"))
    shown("opmas.bundle-check/v1", "bundle", "check", nap)
    built = shown("opmas.bundle-file/v1", "bundle", "build", nap, "--key", key, *output)
    shown("opmas.bundle-file/v1", "bundle", "deb", built["path"], *output)
    shown("opmas.bundle/v1", "bundle", "inspect", built["path"])
    shown("opmas.bundle/v1", "bundle", "verify", built["path"])
    shown("opmas.key-list/v1", "key", "list")
    shown("opmas.key/v1", "key", "revoke", "release")


@pytest.mark.parametrize(
    "words",
    [
        ("agent", "update", "web", "--version", "1.1.0"),
        ("agent", "update", "web", "--set", "a=1"),
        ("package", "install", "demo"),
    ],
)
def test_a_change_that_is_undone_is_a_document_and_nothing_else(opmas, manager, web, words):
    for subject in ("agent/web", "package/demo"):
        manager.host.ledger.doom(subject, "crashed", "it exits at once")

    done = opmas(*words, "--json")

    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["schema"] in {"opmas.change/v1", "opmas.agent/v1"}
