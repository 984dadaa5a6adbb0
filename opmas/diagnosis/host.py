"""What the host is: versions, memory, disks, pressure, and the processes of OPMAS."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import sys
from typing import TYPE_CHECKING, Any, Final

from opmas.diagnosis.files import our_processes
from opmas.diagnosis.programs import ask
from opmas.diagnosis.scene import read_text
from opmas.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.diagnosis.parts import Outcome
    from opmas.diagnosis.scene import Scene

FILES: Final = (
    "/etc/os-release", "/etc/debian_version", "/proc/version", "/proc/cmdline", "/proc/uptime",
    "/proc/loadavg", "/proc/meminfo", "/proc/swaps", "/proc/mounts", "/proc/pressure/cpu",
    "/proc/pressure/memory", "/proc/pressure/io", "/proc/cgroups",
    "/sys/fs/cgroup/cgroup.controllers",
    "/proc/sys/kernel/pid_max", "/proc/sys/fs/file-nr",
)  # fmt: skip
PACKAGES: Final = (
    "opmas*", "python3-opmas-agent", "python3", "systemd", "dbus", "dpkg", "apt",
    "python3-pystemd", "python3-sdnotify", "python3-yaml", "python3-jsonschema", "gunicorn",
    "python3-flask", "python3-cryptography", "libsystemd0", "libc6", "linux-image-*",
)  # fmt: skip
LIMIT: Final = 512 * 1024
PROCESSES: Final = 1500


def gather(scene: Scene, out: Outcome) -> None:
    """Gather versions and the state of the host."""
    out.add("versions.json", versions(scene, out))
    texts = []
    for name in FILES:
        with contextlib.suppress(OSError):
            texts.append(f"==> {name} <==\n{scene.read(name)}\n")
    out.add("host/files.txt", "\n".join(texts))
    out.add("host/disks.jsonl", disks(scene))


def gather_processes(scene: Scene, out: Outcome) -> None:
    """Gather the processes of OPMAS and its agents: one that is stopped shows here."""
    found = []
    for path, group in our_processes(scene, out.board):
        with contextlib.suppress(OSError):
            found.append(process(path, group))
    if len(found) > PROCESSES:
        out.problem(f"{len(found) - PROCESSES} processes are left out")
    out.add("processes.jsonl", found[:PROCESSES])


def process(path: Path, group: str) -> dict[str, Any]:
    """Return what /proc says of a process. Raises OSError."""
    lines = (line.partition(":") for line in read_text(path / "status").splitlines())
    status = {key: value.strip() for key, _, value in lines}
    words = (path / "cmdline").read_bytes().decode(errors="backslashreplace").split("\0")
    wanted = ("Name", "State", "PPid", "Uid", "VmRSS", "VmSwap", "Threads", "SigBlk", "SigIgn")
    found: dict[str, Any] = {
        "pid": int(path.name),
        **{key.lower(): status.get(key) for key in wanted},
        "unit": next((p for p in reversed(group.split("/")) if ".service" in p), "").split("\n")[
            0
        ],
        "command": shlex.join(word for word in words if word),
    }
    with contextlib.suppress(OSError):
        found["waits_in"] = read_text(path / "wchan", 200)
    with contextlib.suppress(OSError):
        found["files_open"] = len(list((path / "fd").iterdir()))
    return found


def versions(scene: Scene, out: Outcome) -> dict[str, Any]:
    """Return the versions of what OPMAS rests on."""
    systemd = ask(["systemctl", "--version"], out.until, LIMIT)
    form = "${Package} ${Version} ${db:Status-Abbrev}\n"
    packages = ask(["dpkg-query", "--show", f"--showformat={form}", *PACKAGES], out.until, LIMIT)
    lines = [line.split() for line in packages.text.splitlines()]
    release = ""
    with contextlib.suppress(OSError):
        release = scene.read("/etc/debian_version").strip()
    return {
        "opmas": VERSION,
        "python": sys.version,
        "systemd": systemd.text.strip() or systemd.problem,
        "kernel": " ".join(platform.uname()),
        "debian": release,
        "packages": {line[0]: " ".join(line[1:]) for line in lines if line[1:]},
    }


def disks(scene: Scene) -> list[dict[str, Any]]:
    """Return the room where OPMAS keeps things."""
    manager = scene.settings.manager
    found = []
    for absolute in dict.fromkeys((manager.state_dir, "/var/log", "/run", "/tmp", "/")):  # noqa: S108
        with contextlib.suppress(OSError):
            room = os.statvfs(scene.path(absolute))
            found.append(
                {
                    "path": absolute,
                    "total_bytes": room.f_blocks * room.f_frsize,
                    "free_bytes": room.f_bavail * room.f_frsize,
                    "inodes": room.f_files,
                    "free_inodes": room.f_favail,
                }
            )
    return found
