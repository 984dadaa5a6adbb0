"""A page of the documentation as steps that can be run.

What a reader would do as root on the host is done, in order:

- a `console` block: each line that begins with `# ` is a command (a backslash at its end joins the
  next line), the lines below it are what it shows. Of these, `…` stands for anything, and numbers,
  days and months may be others;
- a block below a line that ends in "`/path`:" is the content of that file.

All else is for reading, also what begins with `$ `: that is for the reader's own machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = "opmas-demo"  # what the pages call the host
_BLOCK: Final = re.compile(r"```(?P<kind>\w*)\n(?P<body>.*?)\n```", re.DOTALL)
_TITLE: Final = re.compile(r"`(/[^`]+)`:\s*$")
_DAYS: Final = r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
_MONTHS: Final = r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to be run, and the lines that it should show."""

    line: str
    shows: tuple[str, ...]


Step = File | Command


def steps(text: str) -> list[Step]:
    """Return the steps of the page, in order."""
    found: list[Step] = []
    for match in _BLOCK.finditer(text):
        title = _TITLE.search(text[: match.start()].rstrip().rpartition("\n")[2])
        if match["kind"] == "console":
            found += _commands(match["body"])
        elif title:
            found.append(File(title[1], match["body"] + "\n"))
    return found


def missing(shows: tuple[str, ...], output: str, host: str) -> str | None:
    """Return the first line that the output does not have, in order; None when it has all."""
    lines = iter([_plain(line.replace(host, HOST)) for line in output.splitlines()])
    for expected in shows:
        parts = [re.escape(_plain(part)) for part in expected.strip().split("…")]
        pattern = re.compile(r"\s*" + ".*".join(parts) + r"\s*")
        if parts != ["", ""] and not any(pattern.fullmatch(line) for line in lines):
            return expected
    return None


def _commands(body: str) -> Iterator[Command]:
    lines = re.sub(r"\\\n\s*", "", body).splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith(("# ", "$ "))]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        if lines[start].startswith("# "):
            yield Command(lines[start][2:], tuple(lines[start + 1 : end]))


def _plain(line: str) -> str:
    """Return the line without what differs from one run to the next."""
    line = re.sub(_DAYS, "Day", re.sub(_MONTHS, "Month", line))
    line = re.sub(r"\d+(?:\.\d+)?", "0", line)
    line = re.sub(r"\b0[smhd](?: 0[smhd])*\b", "0s", line)
    return " ".join(line.split())
