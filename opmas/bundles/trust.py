"""The keys that this host trusts: NAME.pub in minisign's format, and NAME.yaml with conditions.

    valid_until: 2027-12-31          the last day, or an instant as in RFC 3339
    packages: [web, "net-*"]         what it may sign; all without it
    revoked: {date: 2027-01-01, reason: laptop stolen}

A revoked key stays here: what is not here is merely unknown, and another authority may vouch for
what it signed. Who may write these files decides what runs as root's choice, so a stranger's
are refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from opmas.bundles.minisign import PublicKey
from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems
from opmas.errors import (
    ConfigError,
    ExpiredKeyError,
    InvalidError,
    KeyNotAllowedError,
    RequestError,
    RevokedKeyError,
    UnknownKeyError,
)
from opmas.packages.owner import check_owner
from opmas.packages.yamlfile import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_GLOB: Final = fields.matching(
    re.compile(r"[a-z0-9*?-]{1,63}"), 'must be the name of a package, or a pattern like "net-*"'
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key and its conditions; dates are as they were written, empty for none."""

    name: str
    key: PublicKey
    valid_until: str = ""
    packages: tuple[str, ...] = ()
    revoked_at: str = ""
    revoked_reason: str = ""

    @property
    def id(self) -> str:
        """The key's id."""
        return self.key.id

    @property
    def revoked(self) -> bool:
        """Tell whether nothing that it signed is accepted any more."""
        return bool(self.revoked_at)

    def expired(self, now: datetime) -> bool:
        """Return whether its last day, which still counts, is over."""
        return bool(self.valid_until) and now >= _end(self.valid_until)

    def allows(self, package: str) -> bool:
        """Return whether it may sign the package."""
        return not self.packages or any(fnmatchcase(package, glob) for glob in self.packages)

    def check(self, package: str, now: datetime) -> None:
        """Raise when it may not sign the package now; without a package, any of them."""
        what = f'key {self.id} ("{self.name}")'
        if self.revoked:
            why = f": {self.revoked_reason}" if self.revoked_reason else ""
            raise RevokedKeyError(f"cannot trust {what}: revoked on {self.revoked_at}{why}")
        if self.expired(now):
            raise ExpiredKeyError(f"cannot trust {what}: valid until {self.valid_until}")
        if package and not self.allows(package):
            raise KeyNotAllowedError(
                f'cannot trust {what} for package "{package}": '
                f"it may sign {', '.join(self.packages)}"
            )


class TrustStore:
    """The directory of trusted keys; one that is not there holds none."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keys(self) -> tuple[TrustedKey, ...]:
        """Return all keys by name; `ConfigError` when a file is wrong or a stranger's."""
        return tuple(self._key(path) for path in sorted(self.directory.glob("*.pub")))

    def find(self, key_id: str) -> TrustedKey:
        """Return the key of that id, or raise `UnknownKeyError`.

        Of two files with one key the revoked one counts.
        """
        known = self.keys()
        found = [key for key in known if key.id == key_id]
        # an id is not of the key itself: a revoked one is so under every id
        same = {key.key.raw for key in found}
        found += [key for key in known if key.revoked and key.key.raw in same]
        if not found:
            raise UnknownKeyError(
                f"cannot trust key {key_id}: it is not in {self.directory}; "
                "`opmas key trust FILE` adds one"
            )
        return max(found, key=lambda key: key.revoked)

    def check(self, key_id: str, package: str, now: datetime) -> TrustedKey:
        """Return the key when it may sign the package now, else raise which of four it is."""
        key = self.find(key_id)
        key.check(package, now)
        return key

    def add(
        self, key: PublicKey, name: str, *, valid_until: str = "", packages: Sequence[str] = ()
    ) -> TrustedKey:
        """Trust the key under that name; `RequestError` when key or name is there already."""
        problems = Problems()
        given = {"name": name, "valid_until": valid_until or None, "packages": list(packages)}
        top = Fields(given, "", problems)
        added = TrustedKey(
            name=top.need("name", fields.matching(_NAME, "must be a plain word"), ""),
            key=key,
            valid_until=top.get("valid_until", _date, ""),
            packages=top.get("packages", fields.each(_GLOB), ()),
        )
        problems.check(f"trust key {key.id}")
        for known in self.keys():
            if name == known.name or key.id == known.id or key.raw == known.key.raw:
                raise RequestError(
                    f'cannot trust key {key.id} as "{name}": '
                    f'key {known.id} is known as "{known.name}"'
                )
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_conditions(added)  # first: without them the key would be trusted for all
        _write(self.directory / f"{name}.pub", key.render())
        return added

    def revoke(
        self, name_or_id: str, reason: str = "", *, now: datetime | None = None
    ) -> TrustedKey:
        """Revoke the key of that name or id: nothing that it signed is accepted any more."""
        for key in self.keys():
            if name_or_id in {key.name, key.id} or name_or_id.upper() == key.id:
                break
        else:
            raise UnknownKeyError(f'cannot revoke "{name_or_id}": no such key in {self.directory}')
        if key.revoked:
            return key
        problems = Problems()
        given = Fields({"reason": reason or None}, "", problems)
        revoked = replace(
            key,
            revoked_at=(now or datetime.now(UTC)).date().isoformat(),
            revoked_reason=given.get("reason", fields.line, "no reason given"),
        )
        problems.check(f'revoke "{name_or_id}"')
        self._write_conditions(revoked)
        return revoked

    def _key(self, path: Path) -> TrustedKey:
        conditions = path.with_suffix(".yaml")
        try:
            check_owner(self.directory, path)
            key = TrustedKey(path.stem, PublicKey.load(path))
            if not os.path.lexists(conditions):
                return key
            check_owner(conditions)
            return _with_conditions(key, read_yaml(conditions), str(conditions))
        except InvalidError as error:
            # a file that cannot be read might be one that revokes: nothing is trusted then
            raise ConfigError(error.message, error.problems) from error

    def _write_conditions(self, key: TrustedKey) -> None:
        lines = []
        if key.valid_until:
            lines.append(f'valid_until: "{key.valid_until}"')
        if key.packages:
            quoted = ", ".join(f'"{glob}"' for glob in key.packages)
            lines.append(f"packages: [{quoted}]")
        if key.revoked:
            reason = fields.shown(key.revoked_reason) if key.revoked_reason else '""'
            lines.append(f'revoked:\n  date: "{key.revoked_at}"\n  reason: {reason}')
        if lines:
            _write(self.directory / f"{key.name}.yaml", "\n".join(lines) + "\n")


def _with_conditions(key: TrustedKey, document: object, where: str) -> TrustedKey:
    problems = Problems()
    top = Fields(document, "", problems)
    full = replace(
        key,
        valid_until=top.get("valid_until", _date, ""),
        packages=top.get("packages", fields.each(_GLOB), ()),
    )
    if top.has("revoked"):
        revoked = top.section("revoked")
        full = replace(
            full,
            revoked_at=revoked.need("date", _date, "unknown"),
            revoked_reason=revoked.get("reason", fields.text, ""),
        )
        revoked.finish()
    top.finish()
    problems.check(f"read {where}")
    return full


def _date(value: object) -> str:
    found = fields.text(value)
    try:
        _end(found)
    except ValueError as error:
        must = "must be a day like 2027-12-31, or an instant like 2027-12-31T12:00:00Z"
        raise FieldError(("", f"{must}, not {fields.shown(value)}")) from error
    return found


def _end(date: str) -> datetime:
    """Return the instant from which the date is over."""
    if _DAY.fullmatch(date):
        return datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(days=1)
    instant = datetime.fromisoformat(date)
    if instant.tzinfo is None:
        raise ValueError("no time zone")
    return instant


def _write(path: Path, text: str) -> None:
    """Write the file whole: a reader finds the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {(error.strerror or '').lower()}") from error
