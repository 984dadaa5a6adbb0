"""What a bundle is and who vouches for it, without installing anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from opmas.bundles.archive import open_archive
from opmas.bundles.authority import Terms, judge, judge_package
from opmas.bundles.manifest import MANIFEST, parse_manifest
from opmas.bundles.minisign import Signature
from opmas.bundles.reader import Bundle, read_head
from opmas.bundles.trust import TrustStore
from opmas.errors import (
    BundleError,
    ConfigError,
    ExpiredKeyError,
    KeyNotAllowedError,
    OpmasError,
    RevokedKeyError,
    UnknownKeyError,
    UnsignedBundleError,
)
from opmas.packages.receipt import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.bundles.authority import Verdict
    from opmas.bundles.reader import Head


class _Nowhere:
    """Takes what is only read for its digest."""

    def write(self, content: bytes | memoryview, /) -> object:
        """Forget it."""
        return len(content)


def inspect_bundle(path: Path, trust: TrustStore) -> dict[str, Any]:
    """Return what the bundle says it is, its files, its key and the verdict of this host.

    All digests are held against the content. `verdict` is trusted or the code of the error that an
    installation ends with; a bundle that cannot be read at all raises that error.
    """
    with open_archive(path) as archive:
        head = read_head(archive)
        verdict, refusal = _judged(head, trust)
        manifest = parse_manifest(head.content, where=archive.name)
        if verdict is not None:
            verdict, refusal = _judged_package(verdict, manifest.name)
        bundle = Bundle(archive, manifest, verdict or _NOBODY, head)
        for entry in (manifest.agent_yaml, *manifest.files):
            for _ in bundle.copy(entry, _Nowhere()):
                pass
        bundle.check_end()
    return {
        "name": manifest.name,
        "version": manifest.version,
        "runtime": str(manifest.runtime),
        "requires_python": manifest.requires_python,
        "architectures": list(manifest.architectures),
        "digest": bundle.digest,
        "bytes": archive.size,
        "files": [asdict(entry) for entry in (manifest.agent_yaml, *manifest.files)],
        "key": head.signature.id if head.signature else None,
        "key_name": verdict.key.name if verdict and verdict.key else None,
        "signed_comment": head.signature.comment if head.signature and verdict else None,
        "verdict": refusal.code if refusal else "trusted",
        "reason": refusal.message if refusal else "",
    }
