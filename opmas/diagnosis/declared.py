"""What is written beside the agents' files: enough to know them without the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opmas.diagnosis.scene import read_text

if TYPE_CHECKING:
    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene


def gather(scene: Scene, out: Outcome) -> None:
    """Gather the specifications in agent.json."""
    found: dict[str, Any] = {}
    for path in sorted(scene.state.glob("agents/*/agent.json")):
        try:
            found[path.parent.name] = json.loads(read_text(path, 1 << 20))
        except (OSError, ValueError) as error:
            out.problem(f"{path}: {error}")
    if not scene.is_root:
        return
    out.board.put("saved", found)
    rows = [{"agent": name, **saved} for name, saved in found.items() if isinstance(saved, dict)]
    out.add("agents/declared.jsonl", rows)
