"""Runs in a guest: tells each step that OPMAS, or dpkg, has written down, as soon as it is there.

`steps.py changes DATABASE`: the steps of changes, as "TASK STATE", and the states of changes, read
where the manager saves them: its own word to a client would be later.
`steps.py dpkg LOG`: "STATUS PACKAGE VERSION" as dpkg goes on.
Says `watching` when it does. What was there before is not told.
"""

import contextlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator

PERIOD = 0.002  # seconds; what follows a save takes longer
QUERY = "SELECT sequence, type, data FROM events WHERE sequence > ? ORDER BY sequence"


def main() -> None:
    kind, path = sys.argv[1:]
    watch = {"changes": watch_changes, "dpkg": watch_dpkg}[kind](path)
    for step in watch:
        print(step, flush=True)


def watch_changes(path: str) -> Iterator[str]:
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    (last,) = database.execute("SELECT max(sequence) FROM events").fetchone()
    yield "watching"
    while True:
        rows = []
        with contextlib.suppress(sqlite3.OperationalError):  # a manager recovers it just now
            rows = database.execute(QUERY, (last,)).fetchall()
        for sequence, kind, text in rows:
            last = sequence
            data = json.loads(text)
            if kind == "opmas.change.state":
                yield data["to"]
            elif kind == "opmas.change.step":
                yield f"{data['task']} {data['state']}"
        time.sleep(PERIOD)


def watch_dpkg(path: str) -> Iterator[str]:
    with open(path) as log:  # noqa: PTH123  # a light import
        log.seek(0, os.SEEK_END)
        yield "watching"
        waiting = ""
        while True:
            *lines, waiting = (waiting + log.read()).split("\n")
            for line in lines:
                words = line.split()
                if words[2] == "status":
                    yield f"{words[3]} {words[4].partition(':')[0]} {words[5]}"
            time.sleep(PERIOD)


main()
