"""The agent's modules, which no import statement can name: their directory has a hyphen."""

from importlib import import_module
from pathlib import Path

PACKAGE = Path("opmas/agents/node-exporter").resolve()

settings = import_module("opmas.agents.node-exporter.exporter.settings")
program = import_module("opmas.agents.node-exporter.exporter.program")
host_view = import_module("opmas.agents.node-exporter.exporter.host_view")
