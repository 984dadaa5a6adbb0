"""Bundles over REST, as installed: uploaded, installed, given to an agent, taken back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import wait_for
from tests.system.api.rest import URL, Rest

if TYPE_CHECKING:
    from tests.system.manager.opmas import Opmas

AUTHOR = """\
set -e
cd /root
opmas key new
opmas key trust .config/opmas/keys/default.pub
opmas agent new greeter
opmas bundle build greeter
sed -i 's/^version: .*/version: 0.2.0/' greeter/agent.yaml
opmas bundle build greeter
ls greeter-*.opmas
"""


@pytest.fixture(scope="module")
def bundles(opmas: Opmas) -> dict[str, str]:
    """The paths of two versions of a package, by version."""
    names = opmas.host.run("sh", "-c", AUTHOR).stdout.split()
    found = [re.fullmatch(r"greeter-(.*)\.opmas", name) for name in names]
    return {match[1]: f"/root/{match[0]}" for match in found if match}


def upload(rest: Rest, path: str, version: str, *more: str) -> dict[str, Any]:
    """Send the bundle and return the change, when it has ended."""
    done = rest.host.run(
        "curl", "-sN", "-T", path, "-H", f"Authorization: Bearer {rest.token}",
        "-H", "Content-Type: application/vnd.opmas.bundle", *more,
        f"{URL}/v1/packages/greeter/versions/{version}",
    )  # fmt: skip
    change: dict[str, Any] = json.loads(done.stdout)["change"]
    return ended(rest, change)


def ended(rest: Rest, change: dict[str, Any]) -> dict[str, Any]:
    """Follow the change by its stream and return what it came to."""
    done = rest.host.run(
        "curl", "-sN", "-H", f"Authorization: Bearer {rest.token}",
        "-H", "Accept: text/event-stream", f"{URL}/v1/changes/{change['id']}",
    )  # fmt: skip
    told = re.findall(r"^data: (.*)$", done.stdout, re.MULTILINE)
    last: dict[str, Any] = json.loads(told[-1])
    return last


def test_a_bundle_is_uploaded_installed_and_given_to_an_agent(
    opmas: Opmas, rest: Rest, bundles: dict[str, str]
):
    first, second = sorted(bundles)

    installed = [upload(rest, bundles[first], first)]
    rest.call("PUT", "/v1/agents/hello?wait=30", {"package": "greeter", "window": 0})
    installed.append(upload(rest, bundles[second], second, "-H", "Transfer-Encoding: chunked"))
    moved = rest.call("POST", "/v1/agents/hello/update", {"window": 0})
    after = ended(rest, moved.body["change"])
    agent = rest.call("GET", "/v1/agents/hello").body
    back = rest.call("POST", f"/v1/changes/{after['id']}/undo")

    assert [change["state"] for change in installed] == ["committed", "committed"]
    assert (moved.status, after["state"]) == (202, "committed")
    assert agent["version"] == second
    assert (back.status, back.body["change"]["undo_of"]) == (202, after["id"])
    wait_for(
        lambda: rest.call("GET", "/v1/agents/hello").body["version"] == first,
        30,
        "the version from before is back",
    )


def test_a_bundle_of_another_version_is_refused_by_its_change(rest: Rest, bundles: dict[str, str]):
    path = bundles[min(bundles)]

    change = upload(rest, path, "9.9")

    assert (change["state"], change["reason"]) == ("refused", "version-mismatch")


def test_what_is_no_bundle_is_refused_by_its_change(rest: Rest):
    change = upload(rest, "/bin/ls", "1.0.0")

    assert (change["state"], change["reason"]) == ("refused", "invalid-bundle")


def test_no_upload_is_left_when_its_change_has_ended(opmas: Opmas, rest: Rest):
    upload(rest, "/bin/ls", "1.0.0")

    def left() -> str:
        return opmas.host.run("ls", "/var/lib/opmas-api/uploads").stdout

    wait_for(lambda: left() == "", 20, "the uploads are gone")


def test_what_would_be_done_is_told_and_not_done(opmas: Opmas, rest: Rest):
    body = {"package": "minimal"}

    plan = rest.call("PUT", "/v1/agents/never?dry_run=true", body)

    assert (plan.status, plan.body["plan"]["kind"]) == (200, "create")
    assert rest.call("GET", "/v1/agents/never").status == 404


def test_an_upload_that_is_larger_than_the_services_memory_ends_no_process(rest: Rest):
    def processes() -> set[str]:
        return set(rest.host.run("pgrep", "-u", "opmas-api").stdout.split())

    rest.host.run("truncate", "--size=400M", "/root/large")
    before = processes()

    change = upload(rest, "/root/large", "1.0.0")

    assert (change["state"], change["reason"]) == ("refused", "invalid-bundle")
    assert processes() == before
