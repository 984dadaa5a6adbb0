"""All commands of `opmas`, in the order of its help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.cli.commands import agent, host

if TYPE_CHECKING:
    from opmas.cli.commands.model import Command, Group

GROUPS: Final[dict[str, Group]] = {
    group.name: group for group in (agent.GROUP, host.PACKAGE_GROUP, host.TOKEN_GROUP)
}

COMMANDS: Final[tuple[Command, ...]] = (
    host.STATUS,
    *agent.COMMANDS,
    *host.PACKAGES,
    host.EVENTS,
    *host.TOKENS,
    host.DOCTOR,
    host.VERSION,
    host.COMPLETION,
)
