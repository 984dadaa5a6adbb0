"""Takes secrets out of texts and documents, and leaves their structure."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from opmas.diagnosis.redaction.assigned import assigned
from opmas.diagnosis.redaction.names import is_secret_name, is_strong_name
from opmas.diagnosis.redaction.shapes import passwords, shaped
from opmas.diagnosis.redaction.sweep import Sweep

MARK: Final = re.compile(r"\[redacted:[0-9a-f]{6}\]")
LEFT_OUT: Final = "[left out]"
DEPTH: Final = 64
CACHED: Final = 64  # characters; short texts come again and again in documents
FOUND: Final = 2000  # secrets that texts themselves gave away
WORTH: Final = 8  # characters of a value that is then looked for everywhere
# Values that say that there is none, in any case.
NONE: Final = frozenset(
    {"", "true", "false", "null", "none", "nil", "yes", "no", "on", "off", "n/a", "-", "~"}
    | {"{}", "[]", "()"}
)
# How OPMAS and systemd write that there is one or none.
STAND_INS: Final = frozenset({"(secret)", LEFT_OUT, "[not set]", "(none)"})
# What an agent says in its own words, and what it was given, where nobody knows all its secrets.
WORDS: Final = frozenset(
    {"status_text", "StatusText", "health_message", "message", "metrics", "sentences", "command"}
    | {"Environment"}
)


class Redactor:
    """One archive's: `[redacted:4f2a91]` is the same for the same secret within it, only.

    Whoever `knows_all` has the secrets of all agents; otherwise agents' own words stay out.
    """

    def __init__(self, key: bytes, *, knows_all: bool = True) -> None:
        self._key = key
        self._sweep = Sweep()
        self._second = Sweep()
        self._cache: dict[str, str] = {}
        self.knows_all = knows_all

    @property
    def known(self) -> int:
        """How many secret values are looked for."""
        return len(self._sweep)

    @property
    def found(self) -> int:
        """How many more the texts gave away, which `again` looks for."""
        return len(self._second)

    def learn(self, secret: str) -> None:
        """Take this value out wherever it stands, in whatever form."""
        if not _is_trivial(secret.strip()) and not MARK.fullmatch(secret):
            self._sweep.add(secret)
            self._cache.clear()

    def learn_named(self, name: str, value: str) -> None:
        """Take out the value of that name wherever it stands, if it is not an ordinary word."""
        if is_secret_name(name) and _is_worth(name, value):
            self.learn(value)

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        if len(text) <= CACHED:
            known = self._cache.get(text)
            if known is None:
                known = self._cache[text] = self._redacted(text)
            return known
        return self._redacted(text)

    def document(self, value: object) -> Any:
        """Return JSON data without secrets: each stands for itself, keys and lists stay."""
        return self._node(value, 0)

    def again(self, text: str) -> str:
        """Return the text without what other texts gave away after it was redacted."""
        spans = self._second.spans(text) if len(self._second) else []
        return self._replaced(text, [span for span in spans if not _in_mark(text, span[0])])

    def mark(self, secret: str) -> str:
        """Return what stands for the secret."""
        raw = secret.encode(errors="surrogatepass")
        return f"[redacted:{hashlib.blake2b(raw, key=self._key, digest_size=3).hexdigest()}]"

    def _redacted(self, text: str) -> str:
        text = self._replaced(text, self._sweep.spans(text))
        text = self._replaced(text, self._assigned(text))
        for password in passwords(text):
            self._note("password", password)
        spans = _merged(text, list(shaped(text)))
        return self._replaced(text, [(a, b, text[a:b]) for a, b in spans])

    def _assigned(self, text: str) -> list[tuple[int, int, str]]:
        spans = []
        for name, start, end in assigned(text):
            value = text[start:end]
            bare = value.strip().rstrip(",;")
            if _is_trivial(MARK.sub("", bare).strip()):
                continue
            self._note(name, bare)
            spans.append((start, end, bare))
        return spans

    def _note(self, name: str, value: str) -> None:
        """Look for the value in the other texts, too."""
        if len(self._second) < FOUND and _is_worth(name, value) and value not in self._sweep:
            self._second.add(value)

    def _replaced(self, text: str, spans: list[tuple[int, int, str]]) -> str:
        if not spans:
            return text
        parts, at = [], 0
        for start, end, secret in spans:
            parts += [text[at:start], self.mark(secret)]
            at = end
        return "".join((*parts, text[at:]))

    def _node(self, value: object, depth: int) -> Any:
        if depth > DEPTH:
            return LEFT_OUT
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple):
            return self._items(list(value), depth)
        return self.text(value) if isinstance(value, str) else value

    def _mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        said = next((value[k] for k in ("name", "key", "Name") if k in value), None)
        pair = isinstance(said, str) and is_secret_name(said)  # {"name": "TOKEN", "value": …}
        found = {}
        for key, item in value.items():
            name = str(key)
            if is_secret_name(name) or (pair and name in {"value", "Value"}):
                found[self.text(name)] = self._blotted(item, name, depth + 1)
            elif item and not self.knows_all and _is_own_words(name, value):
                found[name] = LEFT_OUT
            else:
                found[self.text(name)] = self._node(item, depth + 1)
        return found

    def _items(self, items: list[object], depth: int) -> list[Any]:
        """Return the items; what follows `--password` in a list of arguments is one."""
        found: list[Any] = []
        name = ""
        for item in items:
            if name and isinstance(item, str) and not item.startswith("-"):
                found.append(self._blotted(item, name, depth))
            else:
                found.append(self._node(item, depth + 1))
            flag = isinstance(item, str) and item.startswith("-") and "=" not in item
            name = str(item) if flag and is_secret_name(str(item)) else ""
        return found

    def _blotted(self, value: object, name: str, depth: int) -> Any:
        if depth > DEPTH:
            return LEFT_OUT
        if isinstance(value, dict):
            return {self.text(str(k)): self._blotted(v, name, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._blotted(item, name, depth + 1) for item in value]
        written = str(value)
        if value is None or isinstance(value, bool) or _is_trivial(written.strip()):
            return value
        if MARK.fullmatch(written):
            return value
        self._note(name, written)
        return self.mark(written)


def _is_trivial(value: str) -> bool:
    return value.lower() in NONE or value in STAND_INS


def _is_worth(name: str, value: str) -> bool:
    """Return whether the value is a secret wherever it stands, not an ordinary word."""
    if MARK.search(value) or len(value) < WORTH or _is_trivial(value):
        return False
    mixed = any(map(str.isdigit, value)) or value.lower() != value
    path = value.startswith("/") and value.replace("/", "").replace("-", "").isalpha()
    return (mixed or (is_strong_name(name) and " " not in value)) and not path


def _is_own_words(name: str, mapping: dict[Any, Any]) -> bool:
    return name in WORDS or (name == "data" and "severity" in mapping)  # an agent's own event


def _in_mark(text: str, at: int) -> bool:
    return any(m.start() <= at < m.end() for m in MARK.finditer(text, max(0, at - 18), at + 18))


def _merged(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order and apart, without those that are marks already."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if MARK.fullmatch(text, start, end) or start == end:
            continue
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
