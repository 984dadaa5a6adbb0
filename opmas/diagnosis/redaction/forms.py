"""How a known secret may be written: in URLs, JSON, base64, hexadecimal and the like."""

from __future__ import annotations

import base64
import html
import json
import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST: Final = 6  # characters; what is shorter stands in ordinary text by chance
BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def forms(secret: str) -> frozenset[str]:
    """Return every way of writing the secret that is searched for, itself included."""
    found = {*_escaped(secret), *_percent(secret), *_digits(secret), *_base64(secret)}
    found |= {secret.lower(), secret.upper()}
    found |= set(_lossy(secret))
    return frozenset(form for form in found if len(form) >= SHORTEST)


def _escaped(secret: str) -> Iterator[str]:
    yield secret
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(secret.encode(errors="surrogatepass"))[2:-1]
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield shlex.quote(secret)[1:-1] if shlex.quote(secret) != secret else secret
    yield "".join(c if c.isalnum() or c in "._-" else f"\\{c}" for c in secret)
    yield secret.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")  # systemd.syntax(7)
    yield secret.encode("ascii", "backslashreplace").decode()


def _lossy(secret: str) -> Iterator[str]:
    """Yield what is left of letters of other alphabets where only ASCII passes."""
    if secret.isascii():
        return
    yield secret.encode("ascii", "replace").decode()
    yield secret.encode("ascii", "ignore").decode()
    for stands_for in ("??", "\ufffd", "\ufffd\ufffd", "_", "."):
        yield "".join(c if c.isascii() else stands_for for c in secret)
    yield secret.encode(errors="surrogatepass").decode("latin-1")


def _percent(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogatepass")
    for safe in ("", "/", "!*'()~", "/:@-._~!$&'()*+,;="):
        once = quote(raw, safe=safe)
        yield once
        yield _lower_escapes(once)
    yield quote_plus(raw)
    yield _lower_escapes(quote_plus(raw))
    yield quote(quote(raw, safe=""), safe="")
    yield "".join(f"%{byte:02X}" for byte in raw)
    yield "".join(f"%{byte:02x}" for byte in raw)


def _lower_escapes(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _digits(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogatepass")
    for join in ("", ":", " ", "-"):
        yield raw.hex(join) if join else raw.hex()
        yield (raw.hex(join) if join else raw.hex()).upper()
    yield "".join(f"\\x{byte:02x}" for byte in raw)
    yield "".join(f"\\{byte:03o}" for byte in raw)
    yield "".join(
        f"\\x{byte:02x}" if not chr(byte).isalnum() and byte != ord("_") else chr(byte)
        for byte in raw
    )  # systemd-escape(1)
    yield "".join(f"\\u{ord(c):04x}" for c in secret)
    yield ", ".join(str(byte) for byte in raw)  # how journald's JSON has what is no text
    yield ",".join(str(byte) for byte in raw)


def _base64(secret: str) -> Iterator[str]:
    raw = secret.encode(errors="surrogatepass")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # the characters that hold bits of what stands before or behind it are others elsewhere
        first = 0 if shift == 0 else shift + 1
        last = len(encoded) - (1 if (shift + len(raw)) % 3 else 0)
        yield encoded[first:last]
        yield encoded[first:last].replace("+", "-").replace("/", "_")
    yield base64.b32encode(raw).decode().rstrip("=")
