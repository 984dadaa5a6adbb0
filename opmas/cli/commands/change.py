"""The commands `opmas change …`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import (
    NO_WAIT,
    PATIENCE,
    PLAN_ONLY,
    Command,
    Group,
    operand,
    option,
)

GROUP: Final = Group(
    "change",
    "see, wait for and undo changes",
    "Whatever changes an agent or a package is a change with a number. It is saved before each of "
    "its steps and goes on or is undone after a crash; afterwards its agents are watched, and one "
    "that does worse than before is put back as it was.",
)

CHANGE: Final = operand(
    "id", text="the change's number", metavar="ID", number=int, completes="changes"
)
STATES: Final = (
    *("planned", "applying", "watching", "committed"),
    *("reverting", "reverted", "revert-failed", "refused"),
)

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        ("change", "list"),
        "list the changes",
        "One line a change, the newest first: what it changes, its state, and the sentence behind "
        "it.",
        (
            ("opmas change list", "the newest 50"),
            ("opmas change list --active", "those that are under way"),
            ("opmas change list --agent web --state reverted", "what was undone of web"),
        ),
        "changes:list_changes",
        (
            option("--agent", text="only of this agent", metavar="NAME", completes="agents"),
            option("--package", text="only of this package", metavar="NAME", completes="packages"),
            option("--state", text="only in this state", metavar="STATE", choices=STATES),
            option("--active", text="only those that are under way", action="store_true"),
            option("--lines", "-n", text="the newest N changes", metavar="N", number=int),
        ),
        "opmas.change-list/v1",
    ),
    Command(
        ("change", "show"),
        "show all about a change",
        "What it changes, its tasks in their order, whom it restarts, and the facts that its "
        "outcome rests on.",
        (("opmas change show 17", "why change 17 was undone"),),
        "changes:show_change",
        (CHANGE,),
        "opmas.change/v1",
    ),
    Command(
        ("change", "undo"),
        "undo a change",
        "A change under way is reverted. One that is over is taken back by a new change, which is "
        "rehearsed and watched like any other. Waits until that is done.",
        (
            ("opmas change undo 17", "all as before change 17"),
            ("opmas change undo 17 --dry-run", "see it first"),
        ),
        "changes:undo_change",
        (CHANGE, PLAN_ONLY, NO_WAIT, PATIENCE),
        "opmas.change/v1",
    ),
    Command(
        ("change", "wait"),
        "wait until a change has ended",
        "Shows what the change does until it has ended. Exit code 0 says that it is committed, 1 "
        "that it was undone or refused, or that the time is over.",
        (
            ("opmas change wait 17", "after a command with --no-wait"),
            ("opmas change wait 17 --timeout 300 || opmas change show 17", "in a script"),
        ),
        "changes:wait_for_change",
        (CHANGE, PATIENCE),
        "opmas.change/v1",
    ),
)
