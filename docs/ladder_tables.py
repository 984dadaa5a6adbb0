"""The made parts of docs/reference/recovery.md and recovery.dot, from core/recovery/ladder.py."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from docs import agent_keys
from opmas.core.agent.terms import Phase, Reason
from opmas.core.recovery.alerts import SEVERITIES, WORDS
from opmas.core.recovery.ladder import RUNGS, Inputs, Rung, Step
from opmas.core.recovery.policy import DEFAULT_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = 44  # characters of a line in the picture
DECIDING: Final = tuple(rung for rung in RUNGS if rung.applies is not None)
SAMPLE: Final = Inputs(failures=1, cause=Reason.CRASHED)


def rungs() -> Iterator[tuple[str, str, str, str]]:
    """Yield each rung: when it is taken, what is done, what follows."""
    for rung in RUNGS:
        yield f"`{rung.step}`", rung.when, rung.does, rung.then


def policy() -> Iterator[tuple[str, str, str]]:
    """Yield each key of the policy with its default and what it is."""
    for each in dataclasses.fields(DEFAULT_POLICY):
        value = getattr(DEFAULT_POLICY, each.name)
        shown = list(value) if isinstance(value, tuple) else value
        text = str(shown).lower() if isinstance(shown, bool) else str(shown)
        yield f"`{each.name}`", f"`{text}`", agent_keys.RECOVERY[each.name]["description"]


def alerts() -> Iterator[tuple[str, str, str]]:
    """Yield each alert with its severity and when it is up."""
    for code, words in WORDS.items():
        yield f"`{code}`", str(SEVERITIES[code]), words


def diagram() -> str:
    """Return the ladder as a picture."""
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {_id(rung.step)}["{rung.step}<br/>{rung.does}"]' for rung in RUNGS]
    for before, after, why in _edges():
        arrow = f"-->|{why}|" if why else "-.->"
        lines.append(f"    {_id(before)} {arrow} {_id(after)}")
    return "\n".join([*lines, "```"])


def dot() -> str:
    """Return the ladder as a graph for Graphviz."""
    lines = [
        "// made by `python3 -m docs.generate` from core/recovery/ladder.py: dot -Tsvg draws it",
        "digraph recovery {",
        "  rankdir=TB;",
        "  node [shape=box, style=rounded];",
        *(f'  "{r.step}" [label="{r.step}\\n{_wrapped(r.when)}"];' for r in RUNGS),
    ]
    for before, after, why in _edges():
        how = f'label="{why}"' if why else "style=dashed"
        lines.append(f'  "{before}" -> "{after}" [{how}];')
    return "\n".join([*lines, "}"]) + "\n"


def _edges() -> Iterator[tuple[Step, Step, str]]:
    """Yield what leads where: from one rung that decides to the next, and to what it does."""
    yield Step.SYSTEMD, DECIDING[0].step, "gives it up"
    for before, after in pairwise(DECIDING):
        yield before.step, after.step, "no"
    for rung in DECIDING:
        yield rung.step, Step.SYSTEMD if _starts(rung) else Step.RELEASE, ""
    yield Step.QUARANTINE, Step.PROBE, ""
    yield Step.PROBE, Step.SYSTEMD, ""
    yield Step.RELEASE, Step.SYSTEMD, ""


def _starts(rung: Rung) -> bool:
    """Return whether the agent is started again by itself from there."""
    assert rung.act is not None  # noqa: S101 -- it decides
    return rung.act("web", SAMPLE, DEFAULT_POLICY).phase is Phase.BACKOFF


def _id(step: Step) -> str:
    return str(step).replace("-", "_")


def _wrapped(text: str) -> str:
    lines = [""]
    for word in text.replace("`", "").split():
        if len(lines[-1]) + len(word) > LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\\n".join(lines)
