"""What is written beside the agents' files: enough to know them without the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.diagnosis.files import agent_files

if TYPE_CHECKING:
    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene


def gather(scene: Scene, out: Outcome) -> None:
    """Gather the specifications in agent.json."""
    found: dict[str, Any] = {}
    for path, document in agent_files(scene, out.board).items():
        if not isinstance(document, dict):
            out.problem(str(document))
        elif path.name == "agent.json":
            found[path.parent.name] = document
    if not scene.is_root:
        return
    out.board.put("saved", found)
    rows = [{"agent": name, **saved} for name, saved in found.items()]
    out.add("agents/declared.jsonl", rows)
