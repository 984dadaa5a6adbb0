"""The manual's pages of the file formats name every key and show what works."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path
from typing import get_type_hints

from opmas.core.agent.terms import Limits
from opmas.core.documents.secret import secret_paths
from opmas.core.documents.settings import Settings
from opmas.core.package.manifest import (
    EventTypes,
    HealthCheck,
    Hooks,
    Links,
    Manifest,
    Metric,
    Sandbox,
    Timeouts,
    parse_manifest,
)
from opmas.core.recovery.policy import Recovery
from opmas.packages.yamlfile import parse_yaml

MAN = Path(__file__).parents[3] / "packaging" / "man"
SECTIONS = {
    "sandbox": Sandbox,
    "limits": Limits,
    "timeouts": Timeouts,
    "recovery": Recovery,
    "health_check": HealthCheck,
    "hooks": Hooks,
    "events": EventTypes,
    "metrics": Metric,
    "links": Links,
}


def documented(page: str) -> set[str]:
    """The keys that have a paragraph of their own."""
    written = (MAN / page).read_text().replace("\\-", "-")
    keys = re.findall(r"^\.TP\n\.B ([a-z_.]+)$", written, re.MULTILINE)
    return set(keys)


def keys_of(kind: type, prefix: str = "") -> set[str]:
    return {f"{prefix}{field.name}" for field in dataclasses.fields(kind)}


def test_every_setting_has_its_paragraph_and_no_other_has_one() -> None:
    sections = get_type_hints(Settings)

    keys = {key for name, kind in sections.items() for key in keys_of(kind, f"{name}.")}

    assert documented("opmas.yaml.5") == keys


def test_every_key_of_a_manifest_has_its_paragraph_and_no_other_has_one() -> None:
    plain = keys_of(Manifest) - {*SECTIONS, "schema", "defaults"}

    keys = {key for name, kind in SECTIONS.items() for key in keys_of(kind, f"{name}.")}

    assert documented("agent.yaml.5") == {"api", "config.schema", "config.defaults", *plain, *keys}


def test_the_example_of_the_reference_is_a_manifest() -> None:
    page = (MAN.parents[1] / "docs" / "reference" / "agent.yaml.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    example = parse_manifest(parse_yaml(text, where="example"), where="example")

    assert secret_paths(example.schema) == ("token",)


def test_the_examples_of_agent_yaml_are_manifests() -> None:
    written = (MAN / "agent.yaml.5").read_text().replace("\\-", "-").replace("\\(dq", '"')

    examples = [
        parse_manifest(parse_yaml(textwrap.dedent(text), where="example"), where="example")
        for text in re.findall(r"^\.nf\n(.*?)^\.fi", written, re.MULTILINE | re.DOTALL)
    ]

    assert [example.name for example in examples] == ["weblog", "node-exporter"]
