"""Secrets that their shape betrays: keys in PEM, tokens of well-known makers, URLs with a user."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from opmas.diagnosis.redaction.names import find_words

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

# Lines of base64 without their beginning are what is left of a key when a log was cut.
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL
)
_PEM_END: Final = re.compile(r"-----END (?!PUBLIC)[A-Z0-9 ]{1,40}-----")
_PEM_LINE: Final = re.compile(
    r"(?:[^\n]*[ \t])?[A-Za-z0-9+/]{16,}={0,2}[ \t\r]*\n|[A-Za-z0-9+/=]{1,76}[ \t\r]*\n"
)

_USER: Final = re.compile(
    r"://(?P<user>[^\s/\"'<>@:]*:[^\s\"'<>]*(?=@)|[^\s/\"'<>]+(?=@))", re.ASCII
)
_USER_ENCODED: Final = re.compile(r"(?i:%3a%2f%2f)(?P<user>[^\s&\"'<>]+?)(?=(?i:%40))")
_USER_OPTION: Final = re.compile(r"-(?:u|-user|-proxy-user)[ =](?P<user>[^\s:]+:\S+)")
_SCHEME: Final = re.compile(
    r"(?i:bearer|basic|negotiate|digest)(?:[ \t:=]+|%20|\+)"
    r"(?P<token>[A-Za-z0-9._~+/=\-]{6,})"
)
_SCHEMES: Final = ("bearer", "basic", "negotiate", "digest")
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*){0,3}"  # JSON Web Token
    r"|opmas_[0-9a-f]{12}_[\w-]{8,}"
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|dt|rt|ptt|soat|cbt)-[\w-]{16,}"
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}"
    r"|(?:sk|rk|pk)_(?:live|test)_\w{8,}|whsec_\w{16,}|sk-[\w-]{16,}"
    r"|npm_\w{30,}|pypi-[\w-]{16,}|hf_\w{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|hv[sb]\.[\w-]{16,}"
    r"|do[opr]_v1_\w{32,}|shp(?:at|ca|pa|ss)_\w{24,}|dp\.[a-z]{2}\.\w{32,}|tskey-[\w-]{12,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{20,}|\d{8,10}:AA[\w-]{30,}|SK[0-9a-f]{32}(?![0-9a-f])"
    r"|RWRT[\w+/]{40,}={0,2}"  # minisign's secret key
    r"|(?:T|B)[A-Z0-9]{6,}/B[A-Z0-9]{6,}/\w{16,}"  # Slack's webhooks
    r")"
)
_HASHED: Final = re.compile(
    r"\$(?:1|2[abxy]?|5|6|7|y|gy|argon2\w*|scrypt|pbkdf2\w*)\$[^\s:\"']{8,}"
)
# What nobody named: long, and with the letters of a random text.
_RUN: Final = re.compile(r"[A-Za-z0-9+/_\-]{40,}={0,2}")
_SEGMENT: Final = 40  # characters between two slashes; a path has shorter ones
_BITS: Final = 4.2  # for each character; names and paths have less, random base64 about 5


def shaped(text: str) -> Iterator[Span]:
    """Yield what has the shape of a secret; spans may overlap."""
    yield from _keys(text)
    if "://" in text:
        yield from (m.span("user") for m in _USER.finditer(text))
    if "%" in text:
        yield from (m.span("user") for m in _USER_ENCODED.finditer(text))
    yield from (m.span("user") for m in _USER_OPTION.finditer(text))
    words = (_SCHEME.match(text, at) for at in find_words(text, _SCHEMES))
    yield from (m.span("token") for m in words if m is not None)
    yield from (m.span() for m in _KNOWN.finditer(text))
    if "$" in text:
        yield from (m.span() for m in _HASHED.finditer(text))
    yield from (m.span() for m in _RUN.finditer(text) if is_random(m[0]))


def passwords(text: str) -> Iterator[str]:
    """Yield the passwords of the URLs in the text."""
    if "://" in text:
        for match in _USER.finditer(text):
            yield match["user"].partition(":")[2]


def is_random(run: str) -> bool:
    """Return whether a long run of base64's characters is no name and no path."""
    kinds = (str.islower, str.isupper, str.isdigit)
    if not all(any(map(kind, run)) for kind in kinds):
        return False  # also digests and IDs in hexadecimal
    if max(map(len, re.split(r"[/_\-]", run))) < _SEGMENT // 2 and "/" in run:
        return False
    counts = Counter(run)
    bits = -sum(n / len(run) * math.log2(n / len(run)) for n in counts.values())
    return bits >= _BITS


def _keys(text: str) -> Iterator[Span]:
    if "-----" not in text:
        return
    for match in _PEM.finditer(text):
        if "PUBLIC KEY" not in match[0][:60]:
            yield match.span()
    for match in _PEM_END.finditer(text):
        start = match.start()
        while True:
            line = text.rfind("\n", 0, max(0, start - 1)) + 1
            if line >= start or not _PEM_LINE.fullmatch(text, line, start):
                break
            start = line
        if start < match.start():
            yield start, match.start()
