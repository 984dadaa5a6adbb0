"""How patient OPMAS is with an agent that fails, and what it may do about it: in four layers.

The nearest wins for each key: the agent's own, its package's (`recovery` in agent.yaml), the
host's (`recovery` in opmas.yaml), the defaults here. A layer is a `Recovery` with what it says;
what then applies is a `Policy`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems
from opmas.core.unit.exits import EXIT_CONFIG

if TYPE_CHECKING:
    from opmas.core.documents.fields import Reader

HOUR: Final = 3600
WEEK: Final = 7 * 24 * HOUR
MOST_STATUSES: Final = 32


@dataclass(frozen=True, slots=True)
class Policy:
    """What applies to one agent; times in seconds.

    `jitter` is in percent of a delay. `undo_within` counts from when a change was committed,
    `undo_after` are failures in a row. A `slow_probe` of 0 is none.
    """

    first_delay: float = 10
    max_delay: float = 300
    jitter: float = 20
    max_failures: int = 5
    reset_after: float = 600
    undo: bool = True
    undo_within: float = HOUR
    undo_after: int = 2
    restart_dependency: bool = True
    slow_probe: float = 0
    give_up_on: tuple[int, ...] = (EXIT_CONFIG,)


@dataclass(frozen=True, slots=True)
class Recovery:
    """One layer; None is what the layer below says."""

    first_delay: int | None = None
    max_delay: int | None = None
    jitter: int | None = None
    max_failures: int | None = None
    reset_after: int | None = None
    undo: bool | None = None
    undo_within: int | None = None
    undo_after: int | None = None
    restart_dependency: bool | None = None
    slow_probe: int | None = None
    give_up_on: tuple[int, ...] | None = None


DEFAULT_POLICY: Final = Policy()
NO_RECOVERY: Final = Recovery()


def statuses(value: object) -> tuple[int, ...]:
    """Read a list of exit statuses; in the environment they are text."""
    found = value if isinstance(value, list | tuple) else [value]
    numbers = [int(v) if isinstance(v, str) and v.isascii() and v.isdigit() else v for v in found]
    if value is not found:
        raise FieldError(("", f"must be a list like [a, b], not {fields.shown(value)}"))
    read = fields.each(fields.integer(1, 255), most=MOST_STATUSES)
    return tuple(dict.fromkeys(read(numbers)))


READERS: Final[dict[str, Reader[Any]]] = {
    "first_delay": fields.integer(1, HOUR),
    "max_delay": fields.integer(1, 24 * HOUR),
    "jitter": fields.integer(0, 90),
    "max_failures": fields.integer(0, 1000),
    "reset_after": fields.integer(1, WEEK),
    "undo": fields.flag,
    "undo_within": fields.integer(0, WEEK),
    "undo_after": fields.integer(1, 1000),
    "restart_dependency": fields.flag,
    "slow_probe": fields.integer(0, WEEK),
    "give_up_on": statuses,
}


def read_recovery(section: Fields) -> Recovery:
    """Return the layer in the section; its faults go to the section's `problems`."""
    found = Recovery(**{key: section.get(key, read, None) for key, read in READERS.items()})
    section.finish()
    if found.first_delay and found.max_delay and found.first_delay > found.max_delay:
        section.problems.add(
            section.at("max_delay"), f"must not be below first_delay ({found.first_delay})"
        )
    return found


def parse_recovery(document: object, path: str = "recovery") -> Recovery:
    """Return the layer in a mapping, or raise `InvalidError` that names every fault."""
    problems = Problems()
    found = read_recovery(Fields(document, path, problems))
    problems.check("use this recovery policy")
    return found


def dump_recovery(recovery: Recovery) -> dict[str, Any]:
    """Return what the layer says, as a JSON object."""
    said = {key: getattr(recovery, key) for key in READERS}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in said.items()
        if value is not None
    }


def dump_policy(policy: Policy) -> dict[str, Any]:
    """Return what applies, as a JSON object."""
    return {**dataclasses.asdict(policy), "give_up_on": list(policy.give_up_on)}


def load_recovery(saved: dict[str, Any]) -> Recovery:
    """Return the layer that was saved; a key of another version of OPMAS is left out."""
    known = {key: value for key, value in saved.items() if key in READERS}
    if known.get("give_up_on") is not None:
        known["give_up_on"] = tuple(known["give_up_on"])
    return Recovery(**known) if known else NO_RECOVERY


@lru_cache(maxsize=1024)
def effective_policy(host: Policy, package: Recovery, own: Recovery) -> Policy:
    """Return what applies: a value for each key."""
    found = host
    for layer in (package, own):
        said = {k: v for k in READERS if (v := getattr(layer, k)) is not None}
        found = dataclasses.replace(found, **said)
    return dataclasses.replace(found, max_delay=max(found.max_delay, found.first_delay))
