"""The last change of an agent that can be the cause of what goes wrong with it.

It is kept with the agent when the change is committed, with all that is needed to go back:
changes themselves are many, and leave the memory soon.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opmas.core.change.change import Kind, TaskName

if TYPE_CHECKING:
    from opmas.core.change.change import Change

# What of a specification can break an agent; who starts before it, and how patient OPMAS is with
# it, cannot.
TELLING: Final = ("package", "version", "config", "limits", "grants")
CAUSES: Final = frozenset({Kind.CONFIG, Kind.LIMITS, Kind.SETTINGS, Kind.UPDATE, Kind.ROLLBACK})


@dataclass(frozen=True, slots=True)
class Alteration:
    """What a change altered of one agent; `at` is when it was committed, seconds since 1970.

    `before` is what its specification said, for a change of the agent; `deb` names the Debian
    package and its version before, for one of the package. `digest` identifies what it said after.
    """

    change: int
    kind: str
    at: float
    was_well: bool
    before: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    package: str = ""
    deb: dict[str, str] = field(default_factory=dict)
    bad_key: str = ""
    undone: bool = False  # or tried to: it is done at most once


def alteration(change: Change, name: str, at: float, bad_key: str) -> Alteration | None:
    """Return what the change, which is committed now, altered of the agent, or None."""
    if change.undo_of is not None or change.kind not in CAUSES:
        return None
    given = {k: v for k, v in (change.before or {}).items() if k in change.wish and k in TELLING}
    deb = {} if change.is_of_agent else _deb(change)
    if not given and not deb:
        return None
    watch = change.watches.get(name)
    well = name in change.was_up and watch is not None and not watch.baseline.failing
    return Alteration(
        change.id,
        str(change.kind),
        at,
        was_well=well,
        before=given,
        digest=part_digest(change.after or {}, given),
        package=change.package,
        deb=deb,
        bad_key=bad_key,
    )


def part_digest(spec: dict[str, Any], keys: dict[str, Any]) -> str:
    """Return what identifies the values of those keys in a dumped specification."""
    part = {key: spec.get(key) for key in sorted(keys)}
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]


def dump_alteration(alteration: Alteration) -> dict[str, Any]:
    """Return it as a JSON object."""
    return asdict(alteration)


def load_alteration(saved: dict[str, Any]) -> Alteration:
    """Return what was saved."""
    return Alteration(**saved)


def _deb(change: Change) -> dict[str, str]:
    task = next((t for t in change.tasks if t.name is TaskName.DEB), None)
    before = None if task is None else (task.params.get("result") or {}).get("before")
    if task is None or not before:
        return {}
    return {"deb": str(task.params.get("deb", "")), "version": str(before)}
