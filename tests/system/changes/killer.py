"""Runs on a host: kills the manager as soon as it has saved a step that is aimed at.

The journal of steps is read where the manager saves it, in its database: its next word would be
too late, and there is none when it is dead. Reads orders as lines of JSON, `{"aim": STEP or "",
"subject": SUBJECT}`, and answers each when all that was saved until then is read; tells each step
that it sees, and whether it killed there.
"""

import contextlib
import json
import os
import pathlib
import select
import signal
import sqlite3
import sys
from collections.abc import Mapping

DATABASE = "file:/var/lib/opmas/manager.db?mode=ro"
PERIOD = 0.002  # seconds; what follows a save takes the manager longer
QUERY = "SELECT sequence, type, subject, data FROM events WHERE sequence > ? ORDER BY sequence"
CGROUP = "system.slice/opmas-manager.service/cgroup.procs"
HIERARCHIES = ("", "systemd", "unified")


def main() -> None:
    database = sqlite3.connect(DATABASE, uri=True)
    (last,) = database.execute("SELECT max(sequence) FROM events").fetchone()
    aims: dict[str, str] = {}
    while True:
        order = read_order()
        if order is not None:
            aims.pop(order["subject"], None)
            if order["aim"]:
                aims[order["subject"]] = order["aim"]
        rows = []
        with contextlib.suppress(sqlite3.OperationalError):  # a new manager recovers it just now
            rows = database.execute(QUERY, (last,)).fetchall()
        for sequence, kind, subject, text in rows:
            last = sequence
            step = step_of(kind, json.loads(text))
            hit = bool(step) and aims.get(subject) == step
            if hit:
                del aims[subject]
                kill()
            if step:
                tell({"subject": subject, "step": step, "hit": hit})
        if order is not None:
            tell(order)


def read_order() -> dict[str, str] | None:
    if not select.select([sys.stdin], [], [], PERIOD)[0]:
        return None
    line = sys.stdin.readline()  # one order at a time: the next comes when this one is answered
    if not line:
        sys.exit()
    order: dict[str, str] = json.loads(line)
    return order


def tell(news: Mapping[str, object]) -> None:
    print(json.dumps(news), flush=True)


def step_of(kind: str, data: dict[str, str]) -> str:
    if kind == "opmas.change.state":
        return data["to"]
    return f"{data['task']} {data['state']}" if kind == "opmas.change.step" else ""


def kill() -> None:
    for hierarchy in HIERARCHIES:
        path = pathlib.Path("/sys/fs/cgroup", hierarchy, CGROUP)
        if path.exists():
            for pid in path.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            return


main()
