"""Run as an agent: looks at its sandbox from inside and writes what it finds to its state.

Also run by hand: python3 look.py seen.json
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from pathlib import Path

WRITTEN = [
    "/etc",
    "/usr",
    "/var",
    "/var/lib",
    "/srv/out",
    "/home/www",
    "/root/share",
    "/tmp/share",
]
READ = ["/home/www/page", "/root/share/note", "/tmp/share/note", "/var/log/secret"]
FAMILIES = ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"]
CLONE_NEWUSER = 0x10000000


def main() -> None:
    found = {
        "root": os.getuid() == 0,
        "groups": sorted(set(os.getgroups()) - {os.getgid()}),
        "capabilities": _status("CapEff"),
        "bounding": _status("CapBnd"),
        "interfaces": _interfaces(),
        "sockets": [name for name in FAMILIES if _tried(_socket, name) is None],
        "host loopback": _tried(_connect),
        "bus": _tried(_connect_bus),
        "other processes": [path.name for path in Path("/proc").iterdir() if _is_other(path.name)],
        "proc": [
            name for name in ("stat", "meminfo", "diskstats") if Path("/proc", name).exists()
        ],
        "writes": [path for path in WRITTEN if _tried(_write, path) is None],
        "reads": [path for path in READ if _tried(_read, path) is None],
        "own state": _tried(_write, os.environ["STATE_DIRECTORY"]),
        "own runtime": _tried(_write, os.environ["RUNTIME_DIRECTORY"]),
        "own tmp": _tried(_write, "/tmp"),
        "config": Path(os.environ["CREDENTIALS_DIRECTORY"], "config.json").read_text(),
        "gives a file away": _tried(_give_away),
        "becomes root": _tried(os.setuid, 0),
        "new namespace": _tried(_unshare),
        "code in writable memory": _tried(_executable),
        "kernel setting": _tried(_write_kernel_setting),
        "arguments": sys.argv[1:],
    }
    target = Path(os.environ["STATE_DIRECTORY"], "seen.json")
    target.with_suffix(".new").write_text(json.dumps(found))
    target.with_suffix(".new").rename(target)


def _tried(action, *arguments):
    """Return None when it could be done, and the error's name when not."""
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return None


def _status(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1], 16)
    return None


def _interfaces():
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return sorted(line.partition(":")[0].strip() for line in lines)


def _socket(name):
    kind = socket.SOCK_DGRAM if name != "AF_NETLINK" else socket.SOCK_RAW
    socket.socket(getattr(socket, name), kind).close()


def _connect():
    socket.create_connection(("127.0.0.1", 9100), 5).close()


def _connect_bus():
    with socket.socket(socket.AF_UNIX) as bus:
        bus.connect("/run/dbus/system_bus_socket")


def _is_other(name):
    return name.isdecimal() and int(name) not in {os.getpid(), os.getppid()}


def _write(folder):
    path = Path(folder, f"written-{os.getpid()}")
    path.touch()
    path.unlink()


def _give_away():
    path = Path(os.environ["STATE_DIRECTORY"], "given")
    path.touch()
    os.chown(path, 0, -1)


def _read(path):
    Path(path).read_bytes()


def _unshare():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")


def _executable():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _write_kernel_setting():
    Path("/proc/sys/kernel/printk").write_text("4")


if __name__ == "__main__":
    main()
