"""Finds known secrets in text, in any of their forms, in time that their number does not change.

Each form is known by its first few pieces of four characters, its *marks*; a text is walked once,
in steps of as many characters as a form has marks, and only where one stands is a form compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from opmas.diagnosis.redaction.forms import BASE64, SHORTEST, forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK: Final = 4  # characters
STEP: Final = SHORTEST - MARK + 1  # one of so many marks of a form stands at a multiple of it
LONG: Final = 24  # characters of a form that betray it even when the rest was cut off
PART: Final = 8  # the same where a text ends
ENDS: Final = ("\n", "\u2026", "...", '"', "'", "\\")
BESIDE: Final = 3  # characters beside a form in base64 that share bits with it
SHORT: Final = 3  # characters; a shorter secret is taken out where it stands only

ASCII: Final = re.compile(r"[ -~]+")

Span = tuple[int, int, str]


class Sweep:
    """The known secrets."""

    def __init__(self) -> None:
        # mark -> where it is in a form, the form, its secret
        self._marks: dict[str, list[tuple[int, str, str]]] = {}
        self._short: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._known: set[str] = set()

    def __len__(self) -> int:
        """Return how many secrets are known."""
        return len(self._known)

    def __contains__(self, secret: object) -> bool:
        """Return whether the secret is known."""
        return secret in self._known

    def add(self, secret: str) -> None:
        """Know the secret; each line of it, too, and what is left where only ASCII passes."""
        pieces = [line.strip() for line in (*secret.splitlines(), *ASCII.findall(secret))]
        for each in {secret, secret.strip(), *(piece for piece in pieces if len(piece) >= PART)}:
            if len(each) <= SHORT or each in self._known:
                continue
            self._known.add(each)
            if len(each) < SHORTEST:
                self._short[each] = each
                self._pattern = None
            for form in forms(each):
                for at in range(STEP):
                    mark = self._marks.setdefault(form[at : at + MARK], [])
                    mark.append((at, form, each))

    def spans(self, text: str) -> list[Span]:
        """Return where secrets are, in order and apart, with the secret of each."""
        marks, size = self._marks, MARK
        found = []
        if marks:
            places = [
                i for i in range(0, len(text) - size + 1, STEP) if text[i : i + size] in marks
            ]
            found = [span for i in places for span in self._compare(text, i)]
        if self._short:
            found += [(m.start(), m.end(), self._short[m[0]]) for m in self._shorts(text)]
        return _apart(found)

    def _compare(self, text: str, at: int) -> Iterator[Span]:
        for offset, form, secret in self._marks[text[at : at + MARK]]:
            start = at - offset
            if start >= 0 and text.startswith(form, start):
                yield (*_widened(text, start, start + len(form), form, secret), secret)
            elif start >= 0 and (count := _common(form, text, start)) >= PART:
                ends = start + count == len(text) or text.startswith(ENDS, start + count)
                if ends or count >= min(LONG, max(PART, len(form) // 2)):
                    yield start, start + count, secret

    def _shorts(self, text: str) -> Iterable[re.Match[str]]:
        if self._pattern is None:
            words = "|".join(map(re.escape, sorted(self._short, key=len, reverse=True)))
            self._pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
        return self._pattern.finditer(text)


def _widened(text: str, start: int, end: int, form: str, secret: str) -> tuple[int, int]:
    """Return the span with the neighbours that hold a part of the secret's bits in base64."""
    if form == secret or not BASE64.issuperset(form):
        return start, end
    for _ in range(BESIDE):
        start -= start > 0 and text[start - 1] in BASE64
        end += end < len(text) and text[end] in BASE64
    return start, end


def _common(form: str, text: str, at: int) -> int:
    count = 0
    while count < len(form) and text.startswith(form[count], at + count):
        count += 1
    return count


def _apart(spans: list[Span]) -> list[Span]:
    """Return the spans in order, those that overlap as one."""
    found: list[Span] = []
    for start, end, secret in sorted(spans, key=lambda s: (s[0], -s[1])):
        if found and start < found[-1][1]:
            before = found[-1]
            found[-1] = (before[0], max(end, before[1]), before[2])
        else:
            found.append((start, end, secret))
    return found
