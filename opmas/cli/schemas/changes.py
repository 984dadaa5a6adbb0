"""The documents about changes."""

from __future__ import annotations

from typing import Final

from opmas.cli.schemas.terms import (
    amount,
    list_of,
    map_of,
    moment,
    names,
    number,
    one_of,
    or_null,
    record,
    text,
)
from opmas.core.change.change import ChangeState, Kind, TaskName, TaskState

TASK: Final = record(
    "one task",
    {
        "name": one_of("what is done", *TaskName),
        "state": one_of("how far it is", *TaskState),
        "message": text("what there is to know of it"),
    },
)
PROGRESS: Final = or_null(
    record(
        "how far the task under way is; null when it cannot tell",
        {
            "step": text("what it does, such as `unpack`"),
            "done": number("bytes or items that are done"),
            "total": number("of how many"),
        },
    )
)
CHANGE: Final = record(
    "One change: what was asked for, what is done for it, and how it came out.",
    {
        "id": number("its number; 0 in a plan"),
        "kind": one_of("what is changed", *Kind),
        "subject": text("what it is about: `agent/web` or `package/hostwatch`"),
        "agents": names("agents that it touches"),
        "package": text("the package; empty when it is about none"),
        "author": text("who asked for it"),
        "state": one_of("where it is", *ChangeState),
        "reason": text("why it is in its state, for programs: docs/reference/reasons.md"),
        "message": text("the same as a sentence for people"),
        "before": or_null(map_of("what differs, as it was; null when there was nothing")),
        "after": or_null(map_of("what differs, as it is to be; null when nothing is left")),
        "tasks": list_of("what is done, in this order", TASK),
        "progress": PROGRESS,
        "window": amount("for how many seconds its agents are watched; 0: not at all"),
        "watch_left": or_null(amount("seconds of that that are left; null outside the window")),
        "waits_for": or_null(number("the change that it waits for")),
        "undo_of": or_null(number("the change that it takes back")),
        "created_at": or_null(moment("when it was asked for; null in a plan")),
        "updated_at": or_null(moment("when it last went on; null in a plan")),
        "ended_at": or_null(moment("when it ended; null while it is under way")),
        "serial": number("counts its steps"),
        "facts": names("what its outcome rests on, as sentences"),
        "restarts": names("agents that are restarted by it"),
    },
)
