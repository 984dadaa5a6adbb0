"""Updates all agents of the corpus, side by side, and notes what came of each."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import OpmasError
from tests.system.updates.ground import WARM, Ground
from tests.system.updates.packages import NEXT
from tests.system.updates.story import Story, story
from tests.system.updates.versions import BAD_VERSIONS, LOOPBACK, BadVersion, End

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_A_TIME: Final = 8  # of those that are over soon: each is measured, and a host has other work
HOLDER: Final = "holder"  # the agent that has the port of `takes-a-port`


@dataclass(frozen=True, slots=True)
class Outcome:
    """One update: the agent and its data before and after, the change, the story of it."""

    bad: BadVersion
    change: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    data_before: dict[str, Any]
    data_after: dict[str, Any] | None
    story: Story


def run(ground: Ground, corpus: Sequence[BadVersion] = BAD_VERSIONS) -> dict[str, Future[Outcome]]:
    """Update all of them, those whose end takes a whole window first; by name, what came of it."""
    slow = [each for each in corpus if each.is_slow]
    quick = [each for each in corpus if not each.is_slow]
    ground.supply(HOLDER, fault="TakesAPort", **LOOPBACK)
    ground.create(HOLDER, grants=["network=loopback"])
    with ThreadPoolExecutor(max(len(slow), 1)) as first, ThreadPoolExecutor(AT_A_TIME) as then:
        begun = {each.name: first.submit(_update, ground, each) for each in slow}
        begun |= {each.name: then.submit(_update, ground, each) for each in quick}
    return begun


def _update(ground: Ground, bad: BadVersion) -> Outcome:
    name = bad.name
    ground.supply(name, **bad.both)
    if bad.disk:
        ground.give_disk(name, bad.disk)
    grants = ["network=loopback"] if "sandbox" in bad.both else []
    ground.create(name, config=bad.config, grants=grants)
    data_before = ground.counts(name, WARM)
    before = ground.show(name)
    event = ground.last_event()
    change = ground.supply(name, NEXT, bad.fault, **{**bad.both, **bad.keys})
    if change["state"] == "committed":
        change = _changed(ground, name)
    after = data_after = None
    if change["state"] in {"reverted", "refused"}:
        after = ground.serving(name)
        data_after = ground.counts(name, 2)
    elif bad.end is End.KEPT and change["state"] == "committed":
        data_after = ground.counted(name)
    told = story(change, ground.log(event))
    last = after or ground.show(name)
    return Outcome(bad, change, before, last, data_before, data_after, told)


def _changed(ground: Ground, name: str) -> dict[str, Any]:
    """Return the update when it has ended; one that is refused at once is no change."""
    try:
        return ground.ended(ground.update(name))
    except OpmasError as error:
        subject = f"agent/{name}"
        return {"id": 0, "subject": subject, "state": "refused", "reason": error.code,
                "message": error.message}  # fmt: skip
