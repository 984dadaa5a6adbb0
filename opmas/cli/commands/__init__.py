"""All commands of `opmas`, in the order of its help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.cli.commands import agent, alert, bundle, change, diagnosis, host, package

if TYPE_CHECKING:
    from opmas.cli.commands.model import Command, Group

GROUPS: Final[dict[str, Group]] = {
    group.name: group
    for group in (
        agent.GROUP,
        package.GROUP,
        change.GROUP,
        alert.GROUP,
        bundle.BUNDLE_GROUP,
        bundle.KEY_GROUP,
        host.TOKEN_GROUP,
    )
}

COMMANDS: Final[tuple[Command, ...]] = (
    host.STATUS,
    *agent.COMMANDS,
    *package.COMMANDS,
    *change.COMMANDS,
    *alert.COMMANDS,
    host.EVENTS,
    *bundle.BUNDLES,
    *bundle.KEYS,
    *host.TOKENS,
    host.DOCTOR,
    diagnosis.DIAGNOSE,
    host.VERSION,
    host.COMPLETION,
)
