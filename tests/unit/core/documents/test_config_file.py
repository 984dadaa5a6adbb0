"""config/opmas.yaml, as installed: it says the defaults and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from opmas.core.documents.settings import Settings, parse_settings
from opmas.packages.yamlfile import parse_yaml, read_config

CONFIG = Path(__file__).parents[4] / "config"


def test_the_file_as_installed_changes_nothing() -> None:
    assert parse_settings(read_config(CONFIG, "opmas.yaml"), {}) == Settings()


def test_every_commented_value_is_the_default() -> None:
    written = (CONFIG / "opmas.yaml").read_text()

    uncommented = re.sub(r"^(  )#(\w+:)", r"\1\2", written, flags=re.MULTILINE)

    document = parse_yaml(uncommented, where="opmas.yaml")
    assert parse_settings(document, {}) == Settings()
    assert isinstance(document, dict)
    assert {name: len(section) for name, section in document.items()} == {
        "manager": 7,
        "start": 1,
        "events": 4,
        "history": 2,
        "database": 2,
        "agents": 2,
        "packages": 7,
        "changes": 2,
        "recovery": 13,
        "limits": 14,
        "usage": 1,
    }
