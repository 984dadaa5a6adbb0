"""Who vouches for a bundle: a trusted key, the repository of a Debian package, or nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opmas.errors import (
    ExpiredKeyError,
    KeyNotAllowedError,
    UnknownKeyError,
    UnsignedBundleError,
)
from opmas.packages.receipt import Trust

if TYPE_CHECKING:
    from opmas.bundles.minisign import Signature
    from opmas.bundles.trust import TrustedKey, TrustStore


@dataclass(frozen=True, slots=True)
class Terms:
    """What is accepted instead of a trusted key's signature.

    What `delivered_by` names, like `deb:opmas-agent-web`, came through a signed repository: apt
    has vouched for it, so only a revoked key and a wrong signature count against it.
    """

    delivered_by: str = ""
    allow_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the bundle is let in; `key` is the one that signed it, when that is the reason."""

    trust: Trust
    key: TrustedKey | None = None

    @property
    def key_id(self) -> str:
        """The id of the key, or nothing."""
        return self.key.id if self.key else ""


def judge(signature: Signature | None, content: bytes, store: TrustStore, terms: Terms) -> Verdict:
    """Return who vouches for the manifest in `content`, or raise why nobody does."""
    if signature is None:
        return _unsigned(terms)
    try:
        key = store.find(signature.id)
    except UnknownKeyError:
        if terms.delivered_by:
            return Verdict(Trust.DPKG)
        raise
    key.key.verify(content, signature)
    return _accepted(key, "", Verdict(Trust.KEY, key), terms)


def judge_package(verdict: Verdict, package: str, terms: Terms) -> Verdict:
    """Return the verdict now that the signed manifest could be read: may the key sign it?"""
    if verdict.key is None:
        return verdict
    return _accepted(verdict.key, package, verdict, terms)


def _accepted(key: TrustedKey, package: str, verdict: Verdict, terms: Terms) -> Verdict:
    try:
        key.check(package, datetime.now(UTC))
    except (ExpiredKeyError, KeyNotAllowedError):
        if not terms.delivered_by:
            raise
        return replace(verdict, trust=Trust.DPKG, key=None)
    return verdict


def _unsigned(terms: Terms) -> Verdict:
    if terms.delivered_by:
        return Verdict(Trust.DPKG)
    if terms.allow_unsigned:
        return Verdict(Trust.UNSIGNED)
    raise UnsignedBundleError(
        "cannot trust the bundle: it is not signed; sign it with `opmas bundle build --key`, "
        "or set packages.allow_unsigned in opmas.yaml"
    )
