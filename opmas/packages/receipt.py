"""What was written down when a version was installed: its origin and the digest of each file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, Problems
from opmas.errors import InvalidError

if TYPE_CHECKING:
    from pathlib import Path

API: Final = "opmas.receipt/v1"
FOLDER: Final = ".opmas"  # below the version's directory: what is not the package's own
RECEIPT: Final = f"{FOLDER}/receipt.json"
SITE: Final = f"{FOLDER}/site"
SIZE_LIMIT: Final = 32 * 1024 * 1024  # bytes: 50,000 files of 400 characters and their digests

_SHA256: Final = fields.matching(re.compile(r"[0-9a-f]{64}"), "must be a SHA-256 in hex")


class Trust(StrEnum):
    """Why a version was let in."""

    KEY = "key"  # signed by a trusted key
    DPKG = "dpkg"  # delivered by a Debian package: its repository vouches for it
    UNSIGNED = "unsigned"  # the host's configuration allows it


@dataclass(frozen=True, slots=True)
class Receipt:
    """An installed version; `digest` is of the bundle's manifest, `files` by path."""

    name: str
    version: str
    digest: str
    trust: Trust
    key: str
    delivered_by: str
    installed_at: str
    bytes: int
    files: dict[str, str] = field(default_factory=dict, repr=False)


def read_receipt(directory: Path) -> Receipt | None:
    """Return the receipt of the version in the directory; none when it was not installed.

    `InvalidError` when there is one that cannot be read.
    """
    path = directory / RECEIPT
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if len(content) > SIZE_LIMIT:
        raise InvalidError(f"cannot read {path}: it has more than {SIZE_LIMIT} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"cannot read {path}: it is no JSON") from error
    return _parsed(document, str(path))


def dump_receipt(receipt: Receipt) -> str:
    """Return the text of the receipt's file."""
    return json.dumps({"api": API, **asdict(receipt)}, sort_keys=True) + "\n"


def _parsed(document: object, where: str) -> Receipt:
    problems = Problems()
    top = Fields(document, "", problems)
    top.need("api", fields.matching(re.compile(re.escape(API)), f'must be "{API}"'), API)
    receipt = Receipt(
        name=top.need("name", fields.line, ""),
        version=top.need("version", fields.line, ""),
        digest=top.need("digest", _SHA256, ""),
        trust=top.need("trust", fields.one_of(Trust), Trust.UNSIGNED),
        key=top.get("key", fields.text, ""),
        delivered_by=top.get("delivered_by", fields.text, ""),
        installed_at=top.need("installed_at", fields.line, ""),
        bytes=top.need("bytes", fields.integer(0, 2**53), 0),
        files=top.need("files", _files, {}),
    )
    top.finish()
    problems.check(f"read {where}")
    return receipt


def _files(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FieldError(("", f"must be a mapping of paths to digests, not {fields.shown(value)}"))
    return {fields.text(path): _SHA256(digest) for path, digest in value.items()}
