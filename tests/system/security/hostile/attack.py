#!/usr/bin/python3
"""An agent that tries to harm others; what came of it is in its state directory."""

import contextlib
import json
import os
import signal
import socket
import struct
import time
from pathlib import Path

MANAGER = "/run/opmas/manager.sock"
AGENTS = "/run/opmas/agent.sock"
VICTIM = "opmas-agent@victim.service"
TERMINAL = "\x1b]0;owned\x07\x1b[2J"
POISON = (
    b'{"method":"event","params":{"type":"a","message":"x","data":{"k":"\\ud800"}}}',
    b'{"method":"health","params":{"status":"healthy","message":"\\udfff"}}',
    b'{"method":"event","params":{"type":"a","message":"x","data":{"k":NaN}}}',
    b'{"method":"event","params":{"type":"a","message":"x","data":{"k":1e999}}}',
    b'{"method":"event","params":{"type":"a","data":{"k":' + b"[" * 900 + b"]" * 900 + b"}}}",
    b'{"method":"event","params":{"type":"a","data":{"k":' + b"9" * 4200 + b"}}}",
    b'{"method":"metrics","params":{"metrics":[{"name":"x","value":NaN}]}}',
    b'{"id":1,"method":"hello","params":{"agent":"victim"},"agent":"victim"}',
)


def outcome(attempt: object, *arguments: object) -> str:
    try:
        return str(attempt(*arguments))  # type: ignore[operator]
    except OSError:
        return "refused"


def connect(path: str) -> socket.socket:
    plug = socket.socket(socket.AF_UNIX)
    plug.settimeout(5)
    plug.connect(path)
    return plug


def call_manager() -> str:
    connect(MANAGER).sendall(b'{"id":1,"method":"agent.list"}\n')
    return "connected"


def move(group: str) -> str:
    return f"wrote {Path(group, 'cgroup.procs').write_text(str(os.getpid()))}"


def who_am_i() -> str:
    plug = connect(AGENTS)
    plug.sendall(b"\n".join(POISON) + b"\n")
    for line in plug.makefile():
        if "result" in line:
            return str(json.loads(line)["result"]["agent"])
    return "hung up"


def who_is_my_orphan() -> str:
    """Ask from a process that was forked twice and has a session of its own."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, who_am_i().encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def notify(text: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
        plug.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])


def forge_journal() -> None:
    fields = {
        "MESSAGE": f"forged{TERMINAL}\nline",
        "UNIT": VICTIM,
        "_SYSTEMD_UNIT": VICTIM,
        "OBJECT_SYSTEMD_UNIT": VICTIM,
        "COREDUMP_UNIT": VICTIM,
        "_PID": "1",
        "SYSLOG_IDENTIFIER": "systemd",
    }
    entry = b""
    for name, value in fields.items():
        content = value.encode()
        entry += name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
        plug.sendto(entry, "/run/systemd/journal/socket")


def flood() -> None:
    """Come again and again, ask for much, read nothing."""
    asked = b'{"id":"%s","method":"hello"}\n' % (b"x" * 60_000)
    held = []
    for _ in range(300):
        with contextlib.suppress(OSError):
            held.append(connect(AGENTS))
            held[-1].setblocking(False)
            held[-1].sendall(asked * 3)
    time.sleep(3600)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)
    found = {
        "control socket": outcome(call_manager),
        "manager's state": outcome(os.listdir, "/var/lib/opmas"),
        "victim's credential": outcome(os.listdir, f"/run/credentials/{VICTIM}"),
        "victim's state": outcome(os.listdir, "/var/lib/private/opmas-agents/victim"),
        "other processes": str(
            {p.name for p in Path("/proc").glob("[0-9]*")} - {str(os.getpid())}
        ),
        "signal to others": outcome(os.kill, 1, 0),
        "victim's group": outcome(
            move, f"/sys/fs/cgroup/systemd/opmas.slice/opmas-agents.slice/{VICTIM}"
        ),
        "who": outcome(who_am_i),
        "orphan": outcome(who_is_my_orphan),
    }
    forge_journal()
    print(f"printed{TERMINAL}", flush=True)
    message = json.dumps(
        {"method": "health", "params": {"status": "degraded", "message": TERMINAL}}
    )
    told = json.dumps({"method": "event", "params": {"type": "done", "message": TERMINAL}})
    connect(AGENTS).sendall(f"{message}\n{told}\n".encode())
    Path(os.environ["STATE_DIRECTORY"], "found.json").write_text(json.dumps(found))
    notify(f"READY=1\nSTATUS=up {TERMINAL}\nMAINPID=1")
    flood()


if __name__ == "__main__":
    main()
