"""What a bundle is and who vouches for it, without installing anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from opmas.bundles.archive import open_archive
from opmas.bundles.authority import Terms, Verdict, judge, judge_package
from opmas.bundles.manifest import parse_manifest
from opmas.bundles.reader import Bundle, read_head
from opmas.errors import BadSignatureError, BundleError
from opmas.packages.receipt import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.bundles.reader import Head
    from opmas.bundles.trust import TrustedKey, TrustStore
    from opmas.errors import OpmasError


def inspect_bundle(path: Path, trust: TrustStore) -> dict[str, Any]:
    """Return what the bundle says it is, its files, its key and the verdict of this host.

    All digests are held against the content. `verdict` is trusted or the code of the error that an
    installation ends with; a bundle that cannot be read at all raises that error.
    """
    with open_archive(path) as archive:
        head = read_head(archive)
        known, refusal = _judged(head, trust, "")
        manifest = parse_manifest(head.content, where=archive.name)
        if refusal is None:
            known, refusal = _judged(head, trust, manifest.name)
        bundle = Bundle(archive, manifest, Verdict(Trust.UNSIGNED), head)
        bundle.read_all()
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
        "key_name": known.name if known else None,
        "comment": head.signature.comment if head.signature and known else None,
        "verdict": refusal.code if refusal else "trusted",
        "reason": refusal.message if refusal else "",
    }


def _judged(
    head: Head, store: TrustStore, package: str
) -> tuple[TrustedKey | None, OpmasError | None]:
    """Return the key when it is known, and why it is not trusted; a wrong signature is raised."""
    signature = head.signature
    keys = store.keys()
    known = next((key for key in keys if signature and key.id == signature.id), None)
    try:
        verdict = judge(signature, head.content, store, Terms())
        judge_package(verdict, package, Terms())
    except BadSignatureError:
        raise
    except BundleError as error:
        return known, error
    return known, None
