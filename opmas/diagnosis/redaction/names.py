"""Names whose values are secret by the look of them: `password`, `API_KEY`, `sessionToken`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Anywhere in a name.
_PARTS: Final = (
    r"pass(?:word|wd|phrase|code)|secret|token|credential|api[_.-]?key|private[_.-]?key"
    r"|access[_.-]?key|authoriz|cookie|conn(?:ection)?[_.-]?str"
)
# As a whole word of a name: `key` counts in `api.key`, not in `monkey` or `keyring`.
_WORDS: Final = (
    "pass", "pwd", "pw", "key", "auth", "dsn", "sig", "signature", "cred", "salt", "otp", "totp",
    "pin", "psk", "jwt", "session", "sid", "hmac", "bearer", "nonce",
)  # fmt: skip
_LOWER: Final = "|".join(_WORDS)
_CAMEL: Final = "|".join(word.capitalize() for word in _WORDS)

# One of these, in lower case, is where each such name begins to be one.
_KEYS: Final = tuple(
    f"{what}{gap}key" for what in ("api", "private", "access") for gap in ("", *"_.-")
)
STEMS: Final = (
    "pass", "secret", "token", "conn", "pwd", "pw", "key", "auth", "cookie", "dsn", "sig", "cred",
    "salt", "otp", "totp", "pin", "psk", "jwt", "session", "sid", "hmac", "bearer", "nonce",
    *_KEYS,
)  # fmt: skip

NAME: Final = (
    rf"(?:(?i:{_PARTS})|(?i:(?<![A-Za-z])(?:{_LOWER})s?(?![A-Za-z]))"
    rf"|(?<=[a-z0-9])(?:{_CAMEL})s?(?![a-z])"
    r"|(?i:(?<!mon)(?<!don)(?<!tur)(?<!hot)(?<!joc)(?<!hoc)keys?(?![A-Za-z])))"  # `sslkey`
)
_NAME: Final = re.compile(NAME)
_STRONG: Final = re.compile(_PARTS, re.IGNORECASE)
# Where to find a secret or how to check one is none, and is worth knowing.
PLAIN: Final = frozenset(
    {
        "trusted_keys",
        "packages.trusted_keys",
        "opmas_packages_trusted_keys",
        "loadcredential",
        "credentials_directory",
        "loadcredentialencrypted",
    }
)


def find_words(text: str, words: Iterable[str]) -> list[int]:
    """Return where the words, in lower case, stand in the text in any case, in order.

    A find for each word is five times as fast as one search for a pattern of all.
    """
    lower = text.lower()
    if len(lower) != len(text):  # a letter of another alphabet has two in lower case
        lower = "".join(c.lower() if c.isascii() else c for c in text)
    found = set()
    for word in words:
        at = lower.find(word)
        while at >= 0:
            found.add(at)
            at = lower.find(word, at + 1)
    return sorted(found)


def is_secret_name(name: str) -> bool:
    """Return whether what has that name is likely a secret."""
    return name.lower() not in PLAIN and _NAME.search(name) is not None


def is_strong_name(name: str) -> bool:
    """Return whether the name leaves no doubt, so that its value is one wherever it stands."""
    return _STRONG.search(name) is not None
