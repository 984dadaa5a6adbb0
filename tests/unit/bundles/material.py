"""What bundles in tests are made of: packages, wheels, archives, right and wrong ones."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

from opmas.bundles.archive import render_end
from opmas.bundles.build import build_bundle
from opmas.bundles.installation import Place
from opmas.bundles.manifest import MANIFEST, SIGNATURE
from opmas.bundles.minisign import SecretKey
from opmas.bundles.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KEY = SecretKey(b"12345678", bytes(range(32)))
CP = f"cp{sys.version_info.major}{sys.version_info.minor}"  # the tag of this Python in wheels
CACHE = sys.implementation.cache_tag  # and in the names of .pyc
OTHER_KEY = SecretKey(b"87654321", bytes(range(1, 33)))


def make_package(
    folder: Path,
    name: str = "web",
    version: str = "1.0.0",
    *,
    files: Mapping[str, str] = {},
    **keys: Any,
) -> Path:
    """Make a package of Python; `keys` go into its agent.yaml."""
    directory = folder / name
    written = {f"{name}.py": "class Agent:\n    pass\n", **files}
    for path, text in written.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    document = {
        "api": "opmas.agent/v1",
        "name": name,
        "version": version,
        "summary": f"the agent {name}",
        "runtime": "python",
        "entry": f"{name}:Agent",
        **keys,
    }
    (directory / "agent.yaml").write_text(json.dumps(document))
    return directory


def make_wheel(
    folder: Path,
    name: str = "lib",
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
) -> Path:
    """Make a wheel of the files, by default one module of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    content: dict[str, str | bytes] = dict(
        files if files is not None else {f"{name}.py": "x = 1\n"}
    )
    content[f"{stem}.dist-info/METADATA"] = metadata
    content[f"{stem}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
    path = folder / f"{stem}-{tag}.whl"
    path.write_bytes(zip_bytes(content, record=f"{stem}.dist-info/RECORD"))
    return path


def zip_bytes(files: Mapping[str, str | bytes], *, record: str = "") -> bytes:
    """Return a zip of the files, with a RECORD of them when it has a name."""
    buffer = io.BytesIO()
    rows = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.append(f"{path},sha256={digest.decode()},{len(content)}\n")
            archive.writestr(path, content)
        if record:
            archive.writestr(record, "".join(rows) + f"{record},,\n")
    return buffer.getvalue()


def header(name: str, size: int, **fields: Any) -> bytes:
    """Return the header of a member; `fields` are those of TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "surrogateescape")


def member(name: str, content: bytes, **fields: Any) -> bytes:
    """Return a member as it is in an archive."""
    return header(name, len(content), **fields) + content + bytes(-len(content) % 512)


def archive(*members: bytes) -> bytes:
    """Return an archive of the members."""
    content = b"".join(members)
    return content + render_end(len(content))


def members_of(content: bytes) -> dict[str, bytes]:
    """Return the files in an archive by name, in its order."""
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        files = ((info.name, found.extractfile(info)) for info in found)
        return {name: file.read() for name, file in files if file is not None}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of the files."""
    return archive(*(member(name, content) for name, content in files.items()))


def signed(files: Mapping[str, bytes], key: SecretKey = KEY) -> dict[str, bytes]:
    """Return the files with a fresh signature of their manifest."""
    signature = key.sign(files[MANIFEST], MANIFEST, 0).render().encode()
    rest = {name: text for name, text in files.items() if name not in {MANIFEST, SIGNATURE}}
    return {MANIFEST: files[MANIFEST], SIGNATURE: signature, **rest}


def listing(found: Mapping[str, bytes], **changes: Any) -> bytes:
    """Return the manifest of the files, made anew from the one that is there, with changes."""
    document = json.loads(found[MANIFEST])
    document["files"] = [_entry(path, found[path]) for path in found if path.startswith("wheels/")]
    agent_yaml = _entry("agent.yaml", found["agent.yaml"])
    document["agent_yaml"] = {key: agent_yaml[key] for key in ("size", "sha256")}
    document |= changes
    return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def make_bundle(folder: Path, key: SecretKey | None = KEY, **package: Any) -> Path:
    """Build a bundle of a package; wheels of its dependencies are in `folder`/wheels."""
    directory = make_package(folder / "src", **package)
    return build_bundle(directory, folder / "out", secret_key=key, wheels=folder / "wheels")


def make_place(folder: Path, *, allow_unsigned: bool = False) -> Place:
    """Return an empty place on a host that trusts KEY."""
    keys = folder / "keys"
    if not keys.exists():
        TrustStore(keys).add(KEY.public, "tester")
    return Place(folder / "packages", keys, allow_unsigned)
