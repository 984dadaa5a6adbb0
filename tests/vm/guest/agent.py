"""Runs in a virtual machine of the tests: does commands for the machine outside.

Speaks lines of JSON over a virtio-serial port, without a network, a login or a shell in between:
`{"id", "argv", "input", "timeout", "follow"}`, with the input in base64, is answered with
`{"id", "code", "out", "err"}` when the command has ended. With `follow` each line of its output
comes at once, as `{"id", "line"}`.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

PORT = "/dev/virtio-ports/opmas.vm"
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}
NOT_RUN = 126  # as shells say it
TIMED_OUT = 124  # as timeout(1) says it


class Port:
    """The line to the machine outside; several threads write to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writing = threading.Lock()

    def tell(self, news: Mapping[str, object]) -> None:
        data = b"\n" + json.dumps(news).encode() + b"\n"  # after what a kill may have cut off
        with self._writing:
            while data:
                data = data[self._file.write(data) :]


def main() -> None:
    with open(PORT, "r+b", buffering=0) as file:  # noqa: PTH123  # raw: a port cannot seek
        port = Port(file)
        port.tell({"id": 0, "boot": boot_id()})
        waiting = b""
        while chunk := os.read(file.fileno(), 1 << 16):
            *lines, waiting = (waiting + chunk).split(b"\n")
            for line in lines:
                threading.Thread(target=serve, args=(port, json.loads(line)), daemon=True).start()
    sys.exit("the machine outside is gone")


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123  # a light import
        return file.read().strip()


def serve(port: Port, request: dict[str, Any]) -> None:
    try:
        answer = run(port, request)
    except OSError as error:
        answer = {"code": NOT_RUN, "out": "", "err": str(error)}
    port.tell({"id": request["id"], **answer})


def run(port: Port, request: dict[str, Any]) -> dict[str, object]:
    with subprocess.Popen(
        request["argv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd="/root",
        start_new_session=True,
    ) as process:
        if request["follow"]:
            follow(port, request["id"], process)
        try:
            given = base64.b64decode(request["input"])
            out, err = process.communicate(given, request["timeout"])
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            out, err = process.communicate()
            code = TIMED_OUT
    return {"code": code, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def follow(port: Port, number: int, process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        port.tell({"id": number, "line": line.decode(errors="replace").rstrip("\n")})


main()
