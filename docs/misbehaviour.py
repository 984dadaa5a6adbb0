"""The made parts of docs/reference/misbehaviour.md, from the corpus that the tests perform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.misbehaviour.corpus import CORPUS, STARTS

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield what each agent does, what happens, what is told of it, and how soon it is over."""
    for row in CORPUS:
        words = [word for word in (*row.expected(()), *row.told) if word not in STARTS]
        told = ", ".join(f"`{word}`" for word in words) or "nothing"
        yield f"`{row.name}`", row.words, row.answer, told, f"{row.within:g} s"


def notes() -> str:
    """Return what is not the same everywhere."""
    return "\n".join(f"- `{row.name}`: {row.note}" for row in CORPUS if row.note)
