"""The commands `opmas alert …`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import Command, Group

GROUP: Final = Group(
    "alert",
    "see what needs somebody",
    "An alert is up as long as something is so that somebody should know: an agent in quarantine, "
    "one that failed and is not tried again, a change that was undone. Events tell when it begins "
    "and ends.",
)

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        ("alert", "list"),
        "list the alerts that are up",
        "One line an alert, what matters most first. Exit code 0 also when there are some: "
        "`opmas status` is for scripts.",
        (("opmas alert list", "what needs somebody"),),
        "alerts:list_alerts",
        (),
        "opmas.alert-list/v1",
    ),
)
