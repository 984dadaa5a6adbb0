"""Runs on a host in the place of the package worker: the worker, killed before one of its acts.

An act is whatever changes a file, or starts a program; reports of progress, which differ from one
run to the next, are none. `ORDERS/KIND` holds the number of the act
before which the next job of that kind is killed; it is used up. What the act would have been is
left in `ORDERS/KIND.killed`; a job with fewer acts leaves `ORDERS/KIND.survived`.
"""

import json
import os
import pathlib
import runpy
import signal
import sys

ORDERS = pathlib.Path("/var/lib/opmas/mortal")
JOB = pathlib.Path("/var/lib/opmas/jobs", sys.argv[1], "job.json")
WORKER = "/usr/lib/opmas/opmas-package"
ACTS = {
    "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.chown", "os.truncate",
    "os.link", "os.symlink", "os.setxattr", "os.utime", "subprocess.Popen", "os.posix_spawn",
}  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def main() -> None:
    sys.dont_write_bytecode = True
    kind = json.loads(JOB.read_text())["kind"]
    order = ORDERS / kind
    try:
        left = int(order.read_text())
    except FileNotFoundError:
        runpy.run_path(WORKER, run_name="__main__")
        return
    order.unlink()

    def look(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if left < 0 or not is_act(event, arguments):
            return
        left -= 1
        if left < 0:
            (ORDERS / f"{kind}.killed").write_text(f"{event} {arguments}")
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    try:
        runpy.run_path(WORKER, run_name="__main__")
    finally:
        if left >= 0:
            left = -1
            (ORDERS / f"{kind}.survived").touch()


def is_act(event: str, arguments: tuple[object, ...]) -> bool:
    if "progress.json" in str(arguments):
        return False
    if event == "open":
        path, _, flags = arguments
        opens = isinstance(flags, int) and bool(flags & WRITES)
        return opens and not isinstance(path, int)  # what is open already was an act before
    return event in ACTS


main()
