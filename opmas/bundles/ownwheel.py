"""The wheel of a package's own code, made so that the same files give the same bytes.

Its members are stored and not deflated: what zlib makes of them depends on its version.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING, Final

from opmas.packages.versions import normal

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.bundles.source import SourceFile
    from opmas.core.package.manifest import Manifest

CHUNK: Final = 256 * 1024
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first that zip knows
_UNIX: Final = 3
_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: opmas\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(manifest: Manifest, files: list[SourceFile], folder: Path) -> Path:
    """Return the wheel, written into the folder."""
    stem = f"opmas_agent_{manifest.name.replace('-', '_')}-{normal(manifest.version)}"
    path = folder / f"{stem}-py3-none-any.whl"
    info = f"{stem}.dist-info"
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        rows += [_add_file(archive, file) for file in files]
        for name, text in (("METADATA", _metadata(manifest)), ("WHEEL", _WHEEL)):
            content = text.encode()
            archive.writestr(_header(f"{info}/{name}", executable=False), content)
            rows.append(_row(f"{info}/{name}", hashlib.sha256(content), len(content)))
        record = "".join([*rows, f"{info}/RECORD,,\n"])
        archive.writestr(_header(f"{info}/RECORD", executable=False), record.encode())
    return path


def _add_file(archive: zipfile.ZipFile, file: SourceFile) -> str:
    digest = hashlib.sha256()
    size = 0
    header = _header(file.path, executable=file.executable)
    header.file_size = file.place.stat().st_size  # decides on zip64, which no bundle has
    with file.place.open("rb") as source, archive.open(header, "w") as target:
        while part := source.read(CHUNK):
            digest.update(part)
            target.write(part)
            size += len(part)
    return _row(file.path, digest, size)


def _header(path: str, *, executable: bool) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(path, _EPOCH)
    header.create_system = _UNIX
    header.external_attr = (0o100755 if executable else 0o100644) << 16
    return header


def _row(path: str, digest: hashlib._Hash, size: int) -> str:
    encoded = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    quoted = '"' + path.replace('"', '""') + '"' if {",", '"'} & set(path) else path
    return f"{quoted},sha256={encoded},{size}\n"


def _metadata(manifest: Manifest) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: opmas-agent-{manifest.name}",
        f"Version: {normal(manifest.version)}",
        f"Summary: {manifest.summary}",
    ]
    if manifest.requires_python:
        lines.append(f"Requires-Python: {manifest.requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in manifest.requirements]
    return "\n".join(lines) + "\n"
