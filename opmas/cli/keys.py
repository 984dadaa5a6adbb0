"""`opmas key new|trust|list|revoke`: keys of authors, and whom this host trusts.

A secret key and its password are never shown and never an argument, which all users could read.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.exits import Exit, UsageError
from opmas.cli.text import Cell, render_table, visible
from opmas.errors import AccessDeniedError, InvalidError, RequestError

if TYPE_CHECKING:
    from opmas.bundles.minisign import SecretKey
    from opmas.bundles.trust import TrustedKey, TrustStore
    from opmas.cli.session import Session, View

TRUSTED: Final = "/etc/opmas/trusted-keys.d"
DEFAULT_NAME: Final = "default.key"


def default_key(session: Session) -> Path:
    """Return the file of an author's key when none is named."""
    home = session.environ.get("HOME") or str(Path.home())
    base = session.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return Path(base) / "opmas" / "keys" / DEFAULT_NAME


def trust_store(session: Session) -> TrustStore:
    """Return the keys that this host trusts."""
    from opmas.bundles.trust import TrustStore

    return TrustStore(Path(session.setting("packages", "trusted_keys", TRUSTED)))


def make_key(session: Session) -> Exit:
    """Make a key pair and write it to two new files."""
    from opmas.bundles.minisign import SecretKey

    args = session.args
    secret = Path(args.output).absolute() if args.output else default_key(session)
    public = secret.with_suffix(".pub")
    for path in (secret, public):
        if path.exists():
            raise RequestError(f"cannot make a key: {path} exists already")
    password = _new_password(session)
    key = SecretKey.generate()
    if not args.output:
        secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key.save(secret, password)
    try:
        with public.open("x", encoding="ascii") as file:  # not where a link leads to
            file.write(key.public.render())
    except OSError as error:
        raise RequestError(f"cannot write {public}: {(error.strerror or '').lower()}") from error
    document = {
        "id": key.public.id,
        "secret_key": str(secret),
        "public_key": str(public),
        "encrypted": bool(password),
    }
    session.show("opmas.key-created/v1", document, _render_created)
    return Exit.OK


def load_secret_key(session: Session, path: Path) -> SecretKey:
    """Return the key in the file; its password is read from a file or asked for."""
    from opmas.bundles.minisign import SecretKey

    if session.args.password_file:
        return SecretKey.load(path, read_password(session.args.password_file))
    try:
        return SecretKey.load(path)
    except InvalidError:
        raise
    except RequestError as error:
        if not path.exists():
            raise
        if not session.can_ask:
            hint = "name the file of its password: --password-file FILE"
            raise RequestError(error.message, (*error.problems, hint)) from error
        return SecretKey.load(path, _asked(f"Password of {path}: "))


def read_password(path: str) -> str:
    """Return the first line of the file; `-` is standard input."""
    try:
        text = sys.stdin.readline() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is no text").lower()
        raise RequestError(f"cannot read the password from {path}: {reason}") from error
    password = text.split("\n", 1)[0]
    if not password:
        raise RequestError(f"cannot read the password from {path}: its first line is empty")
    return password


def _new_password(session: Session) -> str:
    args = session.args
    if args.password_file:
        return read_password(args.password_file)
    if not args.password:
        return ""
    if not session.can_ask:
        raise UsageError(
            "cannot ask for a password: there is no terminal; name a file: --password-file FILE"
        )
    password = _asked("Password for the new key: ")
    if not password or password != _asked("The same again: "):
        raise UsageError("cannot make a key: the passwords differ or are empty")
    return password


def _asked(prompt: str) -> str:
    from getpass import getpass

    return getpass(prompt, stream=sys.stderr)


def trust_key(session: Session) -> Exit:
    """Trust a public key."""
    from opmas.bundles.minisign import PublicKey

    args, store = session.args, trust_store(session)
    _need_root(store, "trust a key")
    path = Path(args.file)
    key, name = PublicKey.load(path), args.name or path.stem
    added = store.add(
        key, name, valid_until=args.valid_until or "", packages=tuple(args.packages or ())
    )
    session.show("opmas.key/v1", _document(added), _render_trusted)
    return Exit.OK


def list_keys(session: Session) -> Exit:
    """Show the keys that this host trusts, and those that were revoked."""
    trusted = trust_store(session).keys()
    keys = [_document(key) for key in trusted]
    session.show("opmas.key-list/v1", {"keys": keys}, render_keys)
    return Exit.OK


def revoke_key(session: Session) -> Exit:
    """Stop trusting a key."""
    store = trust_store(session)
    _need_root(store, "revoke a key")
    revoked = store.revoke(session.args.key, session.args.reason or "")
    session.show("opmas.key/v1", _document(revoked), _render_revoked)
    return Exit.OK


def _need_root(store: TrustStore, what: str) -> None:
    place = store.directory
    while not os.access(place, os.F_OK) and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK):
        raise AccessDeniedError(
            f"cannot {what}: {store.directory} is root's: whom this host trusts decides what runs"
            " on it",
            ("run it as root: sudo opmas …",),
        )


def _document(key: TrustedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "valid_until": key.valid_until or None,
        "packages": list(key.packages),
        "revoked_at": key.revoked_at or None,
        "revoked_reason": key.revoked_reason or None,
        "state": _state(key),
    }


def _state(key: TrustedKey) -> str:
    if key.revoked:
        return "revoked"
    return "expired" if key.expired(datetime.now(UTC)) else "trusted"


def _render_created(document: dict[str, Any], view: View) -> str:
    kept = "" if document["encrypted"] else "; keep it safe, it has no password"
    return "\n".join(
        (
            view.palette.paint(f"key {document['id']}", "bold"),
            visible(f"  secret  {document['secret_key']}{kept}"),
            visible(f"  public  {document['public_key']}"),
            "  hosts trust it by `sudo opmas key trust FILE`, with the public one",
        )
    )


def _render_trusted(document: dict[str, Any], _view: View) -> str:
    what = ", ".join(document["packages"]) or "all packages"
    until = f" until {document['valid_until']}" if document["valid_until"] else ""
    return visible(f"{document['name']} ({document['id']}) is trusted for {what}{until}")


def _render_revoked(document: dict[str, Any], _view: View) -> str:
    return visible(f"revoked {document['name']} ({document['id']})")


def render_keys(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each key."""
    if not document["keys"]:
        return "no keys are trusted: `sudo opmas key trust FILE` adds one"
    head = ("NAME", "ID", "STATE", "UNTIL", "PACKAGES", "REASON")
    rows = [_row(key) for key in document["keys"]]
    return render_table(head, rows, view.width, view.palette)


def _row(key: dict[str, Any]) -> tuple[Cell, ...]:
    revoked = f"{key['revoked_at']}: {key['revoked_reason'] or '-'}" if key["revoked_at"] else ""
    return (
        (key["name"], "bold"),
        (key["id"], ""),
        (key["state"], {"trusted": "good", "expired": "warn", "revoked": "bad"}[key["state"]]),
        (key["valid_until"] or "-", ""),
        (", ".join(key["packages"]) or "all", ""),
        (revoked, ""),
    )
