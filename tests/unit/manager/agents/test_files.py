"""The files of agents, and what tells one run from another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opmas.core.documents.settings import Settings
from opmas.manager.agents.files import AgentFiles
from tests.unit.core.manifests import python_manifest, spec

# As the last version that wrote no IOWeight= computed it. Another means that after an upgrade each
# agent of each host says that it needs a restart.
DIGEST = "5110cbb261514242"


def test_an_upgrade_of_opmas_alone_is_no_reason_to_start_an_agent_anew() -> None:
    package: Any = SimpleNamespace(
        manifest=python_manifest(), digest="1", directory="/usr/lib/opmas/agents/pinger"
    )

    digest = AgentFiles(Settings()).digest(spec(), package)

    assert digest == DIGEST
