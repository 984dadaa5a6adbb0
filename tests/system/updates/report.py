"""What was measured, as the table of docs/explanation/updates.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.system.updates.story import quantile
from tests.system.updates.versions import End

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.updates.corpus import Outcome

HEAD: Final = "| The new version | What came of it | Sign to verdict | Sign to service |"
RULE: Final = "| --- | --- | ---: | ---: |"
WORDS: Final = {"reverted": "undone", "committed": "**kept**", "revert-failed": "**left down**"}


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the table of the corpus, in its order, and the figures of what shows at once."""
    undone = [each for each in outcomes if _is_undone(each)]
    lines = [HEAD, RULE, *(_row(each) for each in sorted(outcomes, key=_place))]
    at_once = [each.story.outage for each in undone if each.bad.at_once]
    late = [each.story.outage for each in undone if not each.bad.at_once]
    for words, times in (("at once", at_once), ("later", late)):
        lines.append(
            f"\nSign to service, of {len(times)} that show {words}: median"
            f" {quantile(times, 0.5):.1f} s, p95 {quantile(times, 0.95):.1f} s."
        )
    return "\n".join(lines)


def _is_undone(outcome: Outcome) -> bool:
    return outcome.bad.end is End.UNDONE and outcome.story.restored is not None


def _place(outcome: Outcome) -> tuple[int, bool, float]:
    kinds = (End.UNDONE, End.REFUSED, End.KEPT, End.LEFT)
    bad = outcome.bad
    outage = outcome.story.outage if _is_undone(outcome) else 0.0
    return kinds.index(bad.end), not bad.at_once, outage


def _row(outcome: Outcome) -> str:
    change, story = outcome.change, outcome.story
    state = WORDS.get(change["state"], change["state"])
    end = f"{state}: `{change['reason']}`"
    times = [_seconds(story.sign, story.decided), _seconds(story.sign, story.restored)]
    return f"| {outcome.bad.words} | {end} | {times[0]} | {times[1]} |"


def _seconds(since: float | None, until: float | None) -> str:
    return "" if since is None or until is None else f"{until - since:.1f} s"
