"""`token create|list|revoke`: who may use the API. `opmas token` runs it.

It works on the API's database itself: the service need not run. As root it becomes the owner of
the database's directory first, so that no file there is ever root's and no link there leads
root astray.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.api.database import Database
from opmas.api.tokens import Token, Tokens
from opmas.errors import InvalidError

if TYPE_CHECKING:
    import argparse

USER: Final = "opmas-api"
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
LONGEST: Final = 100 * SECONDS["y"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three commands."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = commands.add_parser(
        "create",
        help="make a token and print it once",
        description="Make a token and print it, this once: only a digest of it is stored.",
    )
    create.add_argument("--name", required=True, help="who or what will use it, such as ci")
    create.add_argument(
        "--expires", metavar="TIME", help="lifetime such as 90d, 12h, 1y (default: no end)"
    )
    listing = commands.add_parser("list", help="show the tokens, without their secrets")
    revoke = commands.add_parser("revoke", help="close a token at once")
    revoke.add_argument("token", metavar="NAME|ID", help="which, as `token list` shows it")
    for command in (create, listing, revoke):
        command.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, path: str) -> None:
    """Do what the arguments say with the tokens in the database at `path`."""
    lifetime = read_lifetime(getattr(arguments, "expires", None))
    os.umask(0o077)
    become_owner(Path(path).parent)
    database = Database(path)
    try:
        tokens = Tokens(database)
        if arguments.action == "create":
            token, text = tokens.create(arguments.name, lifetime)
            _print({**_view(token), "token": text} if arguments.json else text)
            if not arguments.json:
                print("keep it now: it cannot be shown again", file=sys.stderr)  # noqa: T201 - a command
        elif arguments.action == "revoke":
            token = tokens.revoke(arguments.token)
            _print(_view(token) if arguments.json else f"revoked {token.name} ({token.id})")
        else:
            views = [_view(token) for token in tokens.all()]
            _print({"tokens": views} if arguments.json else _table(views))
    finally:
        database.close()


def read_lifetime(written: str | None) -> int | None:
    """Return the seconds that the text says."""
    if written is None:
        return None
    parts = re.fullmatch(r"([0-9]{1,10})([smhdwy])", written)
    seconds = int(parts[1]) * SECONDS[parts[2]] if parts else 0
    if not 0 < seconds <= LONGEST:
        raise InvalidError(
            f"cannot use {written[:40]!r} for --expires: write a number and s, m, h, d, w or y,"
            ' such as "90d"'
        )
    return seconds


def become_owner(directory: Path) -> None:
    """As root, make the directory when it is missing, and become its owner for good."""
    if os.geteuid() != 0:
        return
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True)
        if (entry := _entry(USER)) is not None:
            os.chown(directory, entry.pw_uid, entry.pw_gid)
    owner = directory.stat()
    if owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _entry(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def _view(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "created_at": _time(token.created_at),
        "expires_at": _time(token.expires_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
    }


def _time(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _table(views: list[dict[str, Any]]) -> str:
    if not views:
        return "there is no token: `opmas token create --name NAME` makes one"
    rows = [("NAME", "ID", "CREATED", "EXPIRES", "LAST USED")]
    rows += [
        (v["name"], v["id"], v["created_at"], v["expires_at"] or "never", v["last_used_at"] or "-")
        for v in views
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _print(output: dict[str, Any] | str) -> None:
    text = output if isinstance(output, str) else json.dumps(output, indent=2)
    print(text)  # noqa: T201 - this is a command
