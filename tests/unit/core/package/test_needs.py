"""Needs: what a package asks for, as names, and what of it is opened."""

from __future__ import annotations

from opmas.core.package.manifest import Network, Sandbox
from opmas.core.package.needs import granted_sandbox, missing_grants, needs_of
from tests.unit.core.manifests import python_manifest

WIDE = {
    "network": "full",
    "proc": "host",
    "bus": True,
    "read": ["/home/a", "/home/a"],
    "write": ["/srv"],
    "capabilities": ["CAP_NET_RAW"],
    "groups": ["adm"],
}
NAMES = (
    "network=full",
    "proc=host",
    "bus=system",
    "read=/home/a",
    "write=/srv",
    "capability=CAP_NET_RAW",
    "group=adm",
)


def test_a_package_that_asks_for_nothing_needs_nothing() -> None:
    assert needs_of(python_manifest()) == ()


def test_each_thing_asked_for_is_one_need_with_an_explanation() -> None:
    needs = needs_of(python_manifest(sandbox=WIDE))

    assert tuple(need.name for need in needs) == NAMES
    assert all(need.explanation for need in needs)


def test_what_was_not_granted_is_missing() -> None:
    missing = missing_grants(python_manifest(sandbox=WIDE), NAMES[1:])

    assert [need.name for need in missing] == ["network=full"]


def test_a_grant_that_was_not_asked_for_opens_nothing() -> None:
    assert granted_sandbox(Sandbox(), NAMES) == Sandbox()


def test_a_grant_of_less_than_was_asked_for_opens_nothing() -> None:
    sandbox = granted_sandbox(Sandbox(network=Network.FULL), ("network=loopback",))

    assert sandbox.network is Network.NONE


def test_all_that_was_asked_for_and_granted_is_opened_once() -> None:
    sandbox = python_manifest(sandbox=WIDE).sandbox

    granted = granted_sandbox(sandbox, NAMES)

    assert granted.read == ("/home/a",)
    assert granted_sandbox(granted, NAMES) == granted
    assert granted.bus
