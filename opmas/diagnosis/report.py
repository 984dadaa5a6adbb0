"""One diagnosis from the first look to the bytes of the archive, within its seconds.

What is secret is found while the parts are gathered. Then every text and document goes through
the redactor on its way into the archive; there is no other way.
"""

from __future__ import annotations

import json
import secrets as randomness
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opmas.diagnosis import (
    config,
    database,
    declared,
    host,
    journal,
    manager,
    secrets,
    units,
)
from opmas.diagnosis.archive import Archive
from opmas.diagnosis.comparison import compare
from opmas.diagnosis.parts import Board, Content, Outcome, Part, Piece, gather_all
from opmas.diagnosis.readme import render_readme
from opmas.diagnosis.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opmas.diagnosis.scene import Scene

REDACTED_BY: Final = 4.2  # seconds after the begin; packing and writing need 0.3 more
RATE: Final = 700_000.0  # characters a second that one core redacts, before it is measured
LINE: Final = 4000  # characters of a line of a log that are kept
# What tells most comes first: what there is no time or room for is at the end.
ORDER: Final = (
    "agents/compared", "doctor", "manager.json", "versions", "settings/", "host/", "processes",
    "alerts", "explain/", "history/", "database/", "units/systemd", "units/show", "changes",
    "packages", "agents/views", "journal/manager", "journal/api", "journal/kernel",
    "journal/agents/", "units/list", "events", "units/agents", "journal/others", "journal/",
    "agents/", "units/",
)  # fmt: skip
# The words of agents, and what administrators gave them: only where all secrets are known.
APART: Final = ("journal/agents", "units/files/etc", "units/files/run")


@dataclass(frozen=True, slots=True)
class Report:
    """An archive's bytes, and what a person is told about it."""

    name: str
    content: bytes
    files: tuple[str, ...]
    problems: tuple[str, ...]
    seconds: float
    differences: int
    secrets: int


def parts_of(scene: Scene) -> list[Part]:
    """Return the parts with the seconds that each may take."""
    sources: list[tuple[str, float, Callable[[Scene, Outcome], None]]] = [
        ("search for values", 2.8, secrets.gather),
        ("settings", 2.2, config.gather),
        ("declared", 2.2, declared.gather),
        ("database", 2.2, database.gather),
        ("manager", 2.2, manager.gather),
        ("units", 2.2, units.gather),
        ("unit files", 2.2, units.gather_files),
        ("host", 2.2, host.gather),
        ("processes", 2.2, host.gather_processes),
        ("journal", 2.2, journal.gather),
        ("kernel", 2.2, journal.gather_kernel),
        ("logs of agents", 2.2, journal.gather_agents),
    ]
    return [Part(name, seconds, partial(gather, scene)) for name, seconds, gather in sources]


def make_report(scene: Scene, more: Sequence[Part], name: str, now: float, begin: float) -> Report:
    """Return the diagnosis of the host; `begin` is when it was asked for, monotonic."""
    board = Board()
    outcomes = gather_all([*parts_of(scene), *more], board, begin)
    found: secrets.Found | None = board.get("secrets")
    redactor = make_redactor(found)
    compared = compare(
        board.get("agents"), board.get("saved"), board.get("units"), board.get("views")
    )
    pieces = [Piece("agents/compared.jsonl", compared)]
    pieces += [piece for outcome in outcomes for piece in outcome.pieces]
    problems = [f"{o.name}: {text}" for o in outcomes for text in o.problems]
    problems += _not_permitted(scene, found)
    archive = Archive(name, now)
    texts = _redacted(pieces, redactor, found, begin + REDACTED_BY, problems)
    for path, text in texts:
        if not archive.add(path, redactor.again(text).encode(errors="backslashreplace")):
            problems.append(f"archive: {path} is left out: there is no room for it")
    seconds = round(time.monotonic() - begin, 2)
    _finish(archive, redactor, outcomes, problems, seconds)
    return Report(
        name=name,
        content=archive.content(),
        files=tuple(archive.names),
        problems=tuple(redactor.text(text) for text in problems),
        seconds=round(time.monotonic() - begin, 2),
        differences=sum(bool(row["differences"]) for row in compared),
        secrets=redactor.known + redactor.found,
    )


def make_redactor(found: secrets.Found | None) -> Redactor:
    """Return a redactor with a key that nobody keeps, which knows what was found."""
    knows_all = found is not None and found.complete
    redactor = Redactor(randomness.token_bytes(32), knows_all=knows_all)
    for value in found.values if found else ():
        redactor.learn(value)
    for name, value in found.named if found else ():
        redactor.learn_named(name, value)
    return redactor


def _redacted(
    pieces: list[Piece],
    redactor: Redactor,
    found: secrets.Found | None,
    until: float,
    problems: list[str],
) -> list[tuple[str, str]]:
    schemas = found.schemas if found else None
    texts = []
    done, spent = 0.0, 0.0
    for piece in sorted(pieces, key=lambda piece: _rank(piece.path)):
        if piece.path.startswith(APART) and not redactor.knows_all:
            continue
        begin = time.monotonic()
        rate = RATE if spent < 0.1 else done / spent  # noqa: PLR2004 - too short to tell
        text = _one(piece.content, redactor, schemas, int((until - begin) * rate))
        spent += time.monotonic() - begin
        if text is None:
            problems.append(f"archive: {piece.path} is left out: there is no time for it")
            continue
        done += len(text)
        texts.append((redactor.text(piece.path), text))
    return texts


def _one(
    content: Content, redactor: Redactor, schemas: secrets.Schemas | None, most: int
) -> str | None:
    """Return the content without secrets; the end of a long log, nothing of another."""
    if most <= 0:
        return None
    if isinstance(content, str):
        if len(content) > most:
            content = content[content.find("\n", len(content) - most) + 1 :]
        return _cut(redactor.text(content))
    rows = content if isinstance(content, list) else [content]
    written: list[str] = []
    for row in rows:
        hidden = secrets.hide(row, schemas, redactor.mark)
        text = json.dumps(redactor.document(hidden), ensure_ascii=False)
        most -= len(text)
        if most < 0 and written:
            break
        written.append(text)
    if not isinstance(content, list):
        return json.dumps(json.loads(written[0]), indent=1, ensure_ascii=False) + "\n"
    if len(written) < len(rows):
        written.append(json.dumps({"left_out": len(rows) - len(written)}))
    return "\n".join((*written, ""))


def _cut(text: str) -> str:
    """Return the text with its longest lines shortened: only now can no secret be cut in two."""
    if len(text) <= LINE:
        return text
    lines = (line if len(line) <= LINE else f"{line[:LINE]}…" for line in text.split("\n"))
    return "\n".join(lines)


def _rank(path: str) -> tuple[int, str]:
    return next((n for n, each in enumerate(ORDER) if path.startswith(each)), len(ORDER)), path


def _not_permitted(scene: Scene, found: secrets.Found | None) -> Iterable[str]:
    if not scene.is_root:
        yield (
            "left out: what only root may read: the database, unit environments, settings of "
            "running services; and agents' logs, own words, drop-ins: only root knows all secrets"
        )
    elif found is None or not found.complete:
        yield "left out: agents' logs, own words and drop-ins: not all secrets were found in time"


def _finish(
    archive: Archive,
    redactor: Redactor,
    outcomes: list[Outcome],
    problems: list[str],
    seconds: float,
) -> None:
    timings: dict[str, Any] = {
        "parts": {o.name: o.seconds for o in outcomes},
        "steps": {name: taken for o in outcomes for name, taken in o.timings.items()},
        "all_but_writing": seconds,
    }
    # names of files stand in problems: they go through the redactor like all else
    last = {
        "timings.json": json.dumps(redactor.document(timings), indent=1) + "\n",
        "problems.txt": "".join(f"{line}\n" for line in map(redactor.text, problems)),
    }
    last["README.txt"] = render_readme(
        archive.top, [*archive.names, *last], redactor.known, redactor.found,
        knows_all=redactor.knows_all,
    )  # fmt: skip
    for path, text in last.items():
        archive.add_last(path, redactor.again(text).encode(errors="backslashreplace")[:60_000])
