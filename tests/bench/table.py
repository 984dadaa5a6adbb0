"""Figures as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.figure import Figure

HEAD: Final = ("FIGURE", "N", "MIN", "P50", "P99", "MAX", "UNIT", "TARGET", "MET")
TEXT: Final = frozenset({"FIGURE", "UNIT", "TARGET", "MET"})  # left-aligned
COLOURS: Final = {"yes": "32", "no": "31"}


def render(figures: Iterable[Figure], *, colour: bool = False) -> str:
    """Return the table, and below it the notes."""
    figures = list(figures)
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths, colour=colour) for row in rows]
    notes = [f"{figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def number(value: float) -> str:
    """Return the value with three digits that matter."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _row(figure: Figure) -> tuple[str, ...]:
    shown = [number(figure.statistic(name)) for name in ("min", "p50", "p99", "max")]
    targets = ", ".join(f"{t.statistic} <= {number(t.most)}" for t in figure.targets)
    met = {True: "yes", False: "no", None: ""}[figure.met]
    return (figure.what, str(len(figure.samples)), *shown, figure.unit, targets or "-", met)


def _line(row: Sequence[str], widths: Sequence[int], *, colour: bool) -> str:
    cells = [
        cell.ljust(width) if head in TEXT else cell.rjust(width)
        for head, cell, width in zip(HEAD, row, widths, strict=True)
    ]
    if colour and row[-1] in COLOURS:
        cells[-1] = f"\033[{COLOURS[row[-1]]}m{row[-1]}\033[0m"
    return "  ".join(cells).rstrip()
