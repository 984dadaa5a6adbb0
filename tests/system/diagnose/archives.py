"""An archive of `opmas diagnose` as its reader has it, and what must not be found in it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path

BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[: ]?){8,}")
GZIP: Final = b"\x1f\x8b"


class Unpacked:
    """The files of an archive, by their path below its one directory."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            members = tar.getmembers()
            opened = {m.name: tar.extractfile(m) for m in members if m.isfile()}
            read = {name: file.read() for name, file in opened.items() if file is not None}
        self.modes = {m.mode for m in members if m.isfile()}
        self.tops = {m.name.partition("/")[0] for m in members}
        self.files = {name.partition("/")[2]: content for name, content in read.items()}

    @classmethod
    def of(cls, path: Path) -> Unpacked:
        return cls(path.read_bytes())

    def text(self, path: str) -> str:
        return self.files[path].decode()

    def json(self, path: str) -> Any:
        return json.loads(self.files[path])

    def rows(self, path: str) -> list[Any]:
        return [json.loads(line) for line in self.text(path).splitlines()]

    @property
    def problems(self) -> str:
        return self.text("problems.txt")

    def leaks(self, secrets: list[str]) -> list[str]:
        """Say where a secret is, in whatever encoding."""
        return [
            f"{secret!r} in {path}: {beside(layer, secret)}"
            for path, content in self.files.items()
            for layer in layers(path.encode() + b"\n" + content)
            for secret in secrets
            if secret.encode() in layer
        ]


def layers(content: bytes, depth: int = 2) -> list[bytes]:
    """Return the content and what it says when it is decoded, twice over."""
    found = [content]
    if depth == 0:
        return found
    decoded = [_json_unescaped(content), unquote(content.decode(errors="replace")).encode()]
    for match in BASE64.findall(content):
        text = match.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        # a run may begin in the middle of one: each of the four places is tried
        for skip in range(4):
            part = text[skip : skip + (len(text) - skip) // 4 * 4]
            decoded.append(base64.b64decode(part))
            rest = text[skip:]
            padded = rest + b"A" * (-len(rest) % 4)
            decoded.append(base64.b64decode(padded))
    decoded += [
        bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
        for match in HEX.findall(content)
        if (digits := re.sub(rb"[: ]", b"", match))
    ]
    whole = b"\n".join(part for part in decoded if part != content)
    found.append(whole)
    if depth > 1 and GZIP in whole:
        at = whole.index(GZIP)
        with contextlib.suppress(OSError, EOFError):
            found += layers(gzip.decompress(whole[at:]), depth - 1)
    return found


def _json_unescaped(content: bytes) -> bytes:
    text = content.decode(errors="replace")
    for _ in range(3):
        text = re.sub(r'\\(["\\/])', r"\1", text)
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text).encode(
        errors="replace"
    )


def beside(layer: bytes, secret: str) -> str:
    at = layer.index(secret.encode())
    return repr(layer[max(0, at - 60) : at + len(secret) + 40])
