"""What a package needs beyond the closed sandbox, and the admin's consent to it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from opmas.cli.exits import UsageError
from opmas.cli.names import did_you_mean
from opmas.cli.packages import render_needs
from opmas.errors import GrantError

if TYPE_CHECKING:
    from collections.abc import Collection

    from opmas.cli.session import Session


def agreed_grants(
    session: Session, what: str, package: dict[str, Any], granted: Collection[str]
) -> list[str]:
    """Return all grants, those from before and new ones, or raise `GrantError`.

    `what` is what is about to be done, for the messages.
    """
    args = session.args
    needs = [need["name"] for need in package["needs"]]
    asked = needs if args.grant_all else list(args.grants or ())
    unknown = [grant for grant in asked if grant not in needs]
    if unknown:
        hint = did_you_mean(unknown[0], needs) or f": it needs {', '.join(needs) or 'nothing'}"
        raise UsageError(
            f'cannot grant "{unknown[0]}": package "{package["name"]}" does not need it{hint}'
        )
    # a need that a newer version of the package no longer has is not granted any more
    held = [name for name in needs if name in granted or name in asked]
    missing = [need for need in package["needs"] if need["name"] not in held]
    if missing:
        _ask(session, what, package, missing)
    return needs if missing else held


def _ask(
    session: Session, what: str, package: dict[str, Any], missing: list[dict[str, Any]]
) -> None:
    problem = f'cannot {what}: package "{package["name"]}" needs what was not granted'
    if not session.can_ask:
        grants = [word for need in missing for word in ("--grant", need["name"])]
        command = shlex.join(["opmas", *session.args.words, *grants])
        listed = tuple(f"{need['name']}: {need['explanation']}" for need in missing)
        raise GrantError(problem, (*listed, f"to grant this: {command}"))
    name = f"{package['name']} {package['version']}"
    session.note(f"package {name} needs more than the closed sandbox gives:")
    shown = render_needs(missing, session.palette(sys.stderr))
    print("\n".join(f"  {line}" for line in shown.split("\n")), file=sys.stderr)
    if not session.ask(f"Grant this and {what}?"):
        raise GrantError(f"cannot {what}: it was not granted; nothing was done")
