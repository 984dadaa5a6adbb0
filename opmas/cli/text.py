"""Text for a terminal: pure, and safe whatever an agent wrote.

Everything that is printed goes through `Palette.paint` or `visible`, which show control and
format characters as escapes: a status text cannot move the cursor, set a title, reorder a line
or fake a prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Cell = tuple[str, str]  # text, style

UNLIMITED: Final = 100_000  # columns of an output that is no terminal: nothing is cut
PROSE: Final = 100  # sentences are hard to read on longer lines
KIB: Final = 1024
GAP: Final = "  "
NARROWEST: Final = 6  # a column is not cut below this


class Palette(NamedTuple):
    """Styles by name; a missing one is plain."""

    codes: Mapping[str, str]

    def paint(self, text: str, style: str = "") -> str:
        """Return the text made visible, in the style."""
        code = self.codes.get(style)
        shown = visible(text)
        return f"\x1b[{code}m{shown}\x1b[0m" if code and shown else shown


PLAIN: Final = Palette({})
COLOURED: Final = Palette(
    {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1", "head": "1;2"}
)


def visible(text: object) -> str:
    """Return the text with every character that is not printable as its escape."""
    raw = text if isinstance(text, str) else str(text)
    if raw.isprintable():
        return raw
    # str.isprintable is false for control, format (bidi), surrogate and separator characters
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in raw)


def cells(text: str) -> int:
    """Return how many terminal columns the visible text takes."""
    if text.isascii():
        return len(text)
    import unicodedata

    def one(character: str) -> int:
        if unicodedata.combining(character):
            return 0
        return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1

    return sum(map(one, text))


def cut(text: str, width: int) -> str:
    """Return the visible text in at most `width` columns, with `…` when something is left off."""
    if cells(text) <= width:
        return text
    kept = text[: max(width - 1, 0)]
    while kept and cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…" if width > 0 else ""


def render_table(
    head: Sequence[str], rows: Iterable[Sequence[Cell]], width: int, palette: Palette
) -> str:
    """Return rows under a head, the widest columns cut until a row fits `width`."""
    lines = [[(visible(text), style) for text, style in row] for row in rows]
    lines.insert(0, [(title, "head") for title in head])
    widths = [max(cells(line[i][0]) for line in lines) for i in range(len(head))]
    widths = _fitted(widths, width - len(GAP) * (len(head) - 1))
    return "\n".join(_row(line, widths, palette) for line in lines)


def _fitted(widths: list[int], room: int) -> list[int]:
    fitted = list(widths)
    excess = sum(fitted) - room
    while excess > 0 and max(fitted) > NARROWEST:
        ordered = sorted(fitted)
        widest, next_widest = ordered[-1], ordered[-2] if len(ordered) > 1 else NARROWEST
        column = len(fitted) - 1 - fitted[::-1].index(widest)
        step = min(excess, max(widest - next_widest, 1), widest - NARROWEST)
        fitted[column] -= step
        excess -= step
    return fitted


def _row(line: Sequence[Cell], widths: Sequence[int], palette: Palette) -> str:
    parts = []
    for (text, style), room in zip(line, widths, strict=True):
        shown = cut(text, room)
        code = palette.codes.get(style)
        painted = f"\x1b[{code}m{shown}\x1b[0m" if code and shown else shown
        parts.append(painted + " " * (room - cells(shown)))
    return GAP.join(parts).rstrip()


def render_fields(fields: Iterable[tuple[str, str]], palette: Palette) -> str:
    """Return `name  value` lines, indented; further lines of a value stand below its first."""
    rows = [(name, value.split("\n")) for name, value in fields if value]
    room = max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, parts in rows:
        lines.append(f"{GAP}{palette.paint(name.ljust(room), 'dim')}{GAP}{parts[0]}")
        lines += [f"{GAP}{' ' * room}{GAP}{part}" for part in parts[1:]]
    return "\n".join(line.rstrip() for line in lines)


def wrap(text: str, width: int, indent: str = "") -> str:
    """Return a sentence, made visible, on lines that are good to read."""
    import textwrap

    room = max(min(width, PROSE), 20)
    return textwrap.fill(
        visible(text),
        room,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def size(count: object) -> str:
    """Return bytes as people read them: `31.2M`, `64M`; `-` when unknown."""
    if not isinstance(count, int | float):
        return "-"
    amount, unit = float(count), ""
    for unit in ("", "K", "M", "G", "T"):
        if abs(amount) < KIB or unit == "T":
            break
        amount /= KIB
    return f"{amount:.1f}".removesuffix(".0") + unit


def limit(name: str, value: float | None) -> str:
    """Return the value of that resource limit as people write it; nothing for none."""
    if value is None:
        return ""
    if name.startswith("memory"):
        return size(value)
    return f"{value:g}%" if name == "cpu_quota" else str(value)


def plural(count: int, noun: str) -> str:
    """Return `1 agent`, `2 agents`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
