"""Manifests for tests: documents that are right, to be varied in one place."""

from __future__ import annotations

from typing import Any

from opmas.core.agent.terms import AgentSpec
from opmas.core.package.manifest import Manifest, parse_manifest
from opmas.core.unit.file import Place

PLACE = Place("/usr/lib/opmas/agents/pinger", "/var/lib/opmas/agents/web/config.json")


def python_document(**changed: Any) -> dict[str, Any]:
    """The least that a Python package says."""
    return {
        "api": "opmas.agent/v1",
        "name": "pinger",
        "version": "1.2.0",
        "summary": "pings what it is told to",
        "runtime": "python",
        "entry": "pinger:Pinger",
        **changed,
    }


def exec_document(**changed: Any) -> dict[str, Any]:
    """The least that a package with a program says."""
    document = python_document(runtime="exec", command=["/usr/bin/pinger"])
    del document["entry"]
    return {**document, **changed}


def python_manifest(**changed: Any) -> Manifest:
    return parse_manifest(python_document(**changed), where="agent.yaml")


def exec_manifest(**changed: Any) -> Manifest:
    return parse_manifest(exec_document(**changed), where="agent.yaml")


def spec(**changed: Any) -> AgentSpec:
    return AgentSpec(**{"name": "web", "package": "pinger", **changed})
