"""Reads a bundle in the one order that is safe: signature, manifest, then each listed member."""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opmas.bundles import limits
from opmas.bundles.archive import open_archive
from opmas.bundles.authority import Terms, Verdict, judge, judge_package
from opmas.bundles.manifest import MANIFEST, SIGNATURE, BundleManifest, Entry, parse_manifest
from opmas.bundles.minisign import Signature
from opmas.errors import (
    BundleError,
    DigestError,
    DuplicateMemberError,
    MissingMemberError,
    UnlistedMemberError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opmas.bundles.archive import Archive, Member, Sink
    from opmas.bundles.trust import TrustStore


@dataclass(frozen=True, slots=True)
class Head:
    """The signed part of a bundle, not yet trusted: nothing of `content` may be parsed."""

    content: bytes
    signature: Signature | None


class _Nowhere:
    """Takes what is only read for its digest."""

    def write(self, content: bytes | memoryview, /) -> object:
        """Forget it."""
        return len(content)


class Bundle:
    """A bundle whose manifest is vouched for; `copy` each of its entries, in their order."""

    def __init__(
        self, archive: Archive, manifest: BundleManifest, verdict: Verdict, head: Head
    ) -> None:
        self.archive = archive
        self.manifest = manifest
        self.verdict = verdict
        self.head = head
        self._seen = {MANIFEST, SIGNATURE}
        self.digest = hashlib.sha256(head.content).hexdigest()
        self.agent_yaml = b""

    def read_agent_yaml(self) -> None:
        """Read agent.yaml, which comes first; it is small."""
        content = io.BytesIO()
        for _ in self.copy(self.manifest.agent_yaml, content):
            pass
        self.agent_yaml = content.getvalue()

    def read_all(self) -> None:
        """Hold all that is in it against the manifest, and keep agent.yaml alone."""
        self.read_agent_yaml()
        for entry in self.manifest.files:
            for _ in self.copy(entry, _Nowhere()):
                pass
        self.check_end()

    def copy(self, entry: Entry, sink: Sink) -> Iterator[int]:
        """Copy the entry, which must come next, yielding its bytes so far."""
        member = self.archive.next()
        self._check(member, entry)
        if member is not None:
            self._seen.add(member.name)
            yield from self.archive.copy(member, sink, entry.sha256)

    def check_end(self) -> None:
        """Raise unless the archive ends here."""
        member = self.archive.next()
        if member is not None:
            raise self._stray(member)

    def _check(self, member: Member | None, entry: Entry) -> None:
        listed = {each.path for each in self.manifest.files}
        if member is None or (member.name != entry.path and member.name in listed - self._seen):
            raise MissingMemberError(
                f"cannot read {self.archive.name}: {entry.path} is listed and not in its place"
            )
        if member.name != entry.path:
            raise self._stray(member)
        if member.size != entry.size:
            raise DigestError(
                f"cannot read {self.archive.name}: {member.name} has {member.size} bytes, "
                f"and its manifest lists {entry.size}"
            )

    def _stray(self, member: Member) -> BundleError:
        if member.name in self._seen:
            return DuplicateMemberError(
                f"cannot read {self.archive.name}: {member.name} is in it twice"
            )
        return UnlistedMemberError(
            f"cannot read {self.archive.name}: {member.name} is in it and not listed"
        )


@contextmanager
def open_bundle(path: Path, store: TrustStore, terms: Terms) -> Iterator[Bundle]:
    """Open the bundle when it is vouched for, or raise why it is not."""
    with open_archive(path) as archive:
        head = read_head(archive)
        verdict = judge(head.signature, head.content, store, terms)
        manifest = parse_manifest(head.content, where=archive.name)
        yield Bundle(archive, manifest, judge_package(verdict, manifest.name, terms), head)


def read_head(archive: Archive) -> Head:
    """Return the manifest's bytes and the signature, which come first."""
    first = archive.next()
    if first is None or first.name != MANIFEST:
        raise MissingMemberError(f"cannot read {archive.name}: {MANIFEST} is not its first member")
    content = archive.read(first, limits.MANIFEST_SIZE)
    second = archive.peek()
    if second is None or second.name != SIGNATURE:
        return Head(content, None)
    archive.next()
    return Head(content, Signature.parse(archive.read(second, limits.SIGNATURE_SIZE)))
