"""The made parts of docs/reference/changes.md, from the tables of opmas/core/change/change.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.agent.terms import AgentSpec
from opmas.core.change import plan
from opmas.core.change.change import DOES, NEXT_STATES, Change

if TYPE_CHECKING:
    from collections.abc import Iterator


def diagram() -> str:
    """Return the states as a picture."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> planned"]
    for before, after in NEXT_STATES.items():
        lines += [f"    {_word(before)} --> {_word(each)}" for each in after]
        lines += [f"    {_word(before)} --> [*]"] if not after else []
    return "\n".join([*lines, "```"])


def tasks() -> Iterator[tuple[str, str, str]]:
    """Yield what each task does and how it is undone."""
    for name, (does, undoes) in DOES.items():
        yield f"`{name}`", does, undoes or "nothing is left to undo"


def kinds() -> Iterator[tuple[str, str]]:
    """Yield what each kind of change does, in order."""
    for what, change in _examples():
        yield what, ", ".join(f"`{task.name}`" for task in change.tasks)


def _examples() -> Iterator[tuple[str, Change]]:
    spec = AgentSpec("web", "nap", version="1.0")
    for what, lives, changes in (
        ("`create` an agent", True, None),
        ("`config` of an agent that takes it while it runs", True, {"config": {"a": 1}}),
        ("`config` of one that takes it at its next start", False, {"config": {"a": 1}}),
        ("`limits`", True, {"limits": {"memory_max": 1 << 28}}),
        ("`settings`: grants, order, whether it is to run", True, {"after": ["db"]}),
    ):
        known = None if changes is None else spec
        wanted = spec if changes is None else _with(spec, changes)
        change = plan.put(known, wanted, author="", lives=lives)
        if change is not None:
            yield what, change
    yield "`update` of an agent", plan.update(spec, "1.1", author="")
    yield "`rollback` of an agent", plan.update(spec, "0.9", author="", back=True)
    yield "`remove` an agent", plan.remove(spec, purge=False, author="")
    yield "`install` a bundle", plan.install("nap", "1.0", {}, author="")
    yield "`install` with apt", plan.install_deb("nap", {}, author="")
    yield "`update`, `rollback` of what apt installed", plan.update_deb("nap", [], {}, author="")
    yield "`remove` a package", plan.remove_package("nap", ["1.0"], {}, author="")


def _with(spec: AgentSpec, changes: dict[str, Any]) -> AgentSpec:
    dumped = dump_spec(spec)
    limits = {**dumped["limits"], **changes.get("limits", {})}
    return load_spec({**dumped, **changes, "limits": limits})


def _word(state: object) -> str:
    return str(state).replace("-", "_")
