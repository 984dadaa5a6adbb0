"""The agent packages of the system tests are packages as any other."""

from pathlib import Path

import pytest

from opmas.packages.catalogue import scan
from opmas.packages.schema import config_problems, schema_problems

AGENTS = Path(__file__).parents[2] / "agents"
NAMES = sorted(path.name for path in AGENTS.iterdir())


def test_every_sample_package_is_found_and_none_is_refused():
    catalogue = scan([str(AGENTS)])

    assert catalogue.refused == ()
    assert sorted(package.name for package in catalogue.packages) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_of_a_sample_package_satisfy_its_schema(name):
    (manifest,) = (p.manifest for p in scan([str(AGENTS)]).packages if p.name == name)

    problems = config_problems(manifest.schema, manifest.defaults, "config")

    assert schema_problems(manifest.schema, "config.schema") == ()
    assert problems == ()
