"""The documents of the REST API's contract: what `opmas --json` prints and what the API answers.

They are the same, so they are written once, in opmas/cli/schemas, and made into
opmas/api/contract/documents.yaml. The API cannot import the command line, nor the other way.
"""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from opmas.cli.schemas import SCHEMAS
from opmas.cli.schemas.agents import (
    AGENT,
    DECISION,
    DESIRED,
    HEALTH_CHECK,
    HEALTH_FACT,
    NEED_RECORD,
    OPTIONAL_LIMITS,
    PHASE,
)
from opmas.cli.schemas.changes import CHANGE, TASK
from opmas.cli.schemas.history import AGENT_HISTORY
from opmas.cli.schemas.host import ALERT, DROPPED, EVENT, HOST
from opmas.cli.schemas.limits import AGENT_LIMITS, USAGE
from opmas.cli.schemas.packages import PACKAGE, VERSION

HEAD: Final = (
    "# The documents that the API answers with, as JSON Schemas.\n"
    "# Made by `python3 -m docs.generate` from opmas/cli/schemas: they are those of --json.\n"
    "\n"
)
SHAPES: Final[dict[str, dict[str, Any]]] = {
    "Host": HOST,
    "Alert": ALERT,
    "AlertList": SCHEMAS["opmas.alert-list/v1"],
    "Agent": AGENT,
    "AgentList": SCHEMAS["opmas.agent-list/v1"],
    "Phase": PHASE,
    "Desired": DESIRED,
    "HealthCheck": HEALTH_CHECK,
    "HealthFact": HEALTH_FACT,
    "Usage": USAGE,
    "Explanation": SCHEMAS["opmas.explanation/v1"],
    "Decision": DECISION,
    "History": AGENT_HISTORY,
    "LimitsReport": AGENT_LIMITS,
    "LimitsReportList": SCHEMAS["opmas.agent-limits/v1"],
    "Package": PACKAGE,
    "PackageList": SCHEMAS["opmas.package-list/v1"],
    "PackageVersion": VERSION,
    "PackageLimits": OPTIONAL_LIMITS,
    "Need": NEED_RECORD,
    "Change": CHANGE,
    "ChangeList": SCHEMAS["opmas.change-list/v1"],
    "Task": TASK,
    "Event": EVENT,
    "EventPage": SCHEMAS["opmas.event-list/v1"],
    "Dropped": DROPPED,
}
NAMES: Final = {id(schema): name for name, schema in SHAPES.items()}


def text() -> str:
    """Return the file of the contract that holds the documents."""
    schemas = {
        name: {key: _referring(value) for key, value in schema.items()}
        for name, schema in SHAPES.items()
    }
    plain = json.loads(json.dumps({"schemas": schemas}))  # no enums, and nothing that is shared
    return HEAD + yaml.safe_dump(
        plain, sort_keys=False, allow_unicode=True, width=98, default_flow_style=None
    )


def _referring(value: Any) -> Any:
    """Return the value with references in the place of shapes that have a name."""
    if name := NAMES.get(id(value)):
        return {"$ref": f"#/schemas/{name}"}
    if isinstance(value, dict):
        return {key: _referring(item) for key, item in value.items()}
    return [_referring(item) for item in value] if isinstance(value, list) else value
