"""What hostwatch declares is what it does."""

from pathlib import Path

from opmas.agents.hostwatch.hostwatch.report import HELP
from opmas.core.package.manifest import parse_manifest
from opmas.packages.yamlfile import read_yaml

PACKAGE = Path(__file__).parents[3] / "opmas" / "agents" / "hostwatch"


def test_the_metrics_that_it_declares_are_those_that_it_has():
    manifest = parse_manifest(read_yaml(PACKAGE / "agent.yaml"), where="agent.yaml")

    declared = {metric.name: metric.help for metric in manifest.metrics}

    assert declared == HELP
    counters = {metric.name for metric in manifest.metrics if metric.type == "counter"}
    assert counters == {name for name in HELP if name.endswith("_total")}
