"""How the exporter sees the host, and not the sandbox it runs in.

In a sandbox the process's own mount table has all file systems read-only and the homes replaced.
The host's table is in /run/opmas-host where `proc=host` was granted; the exporter looks for it as
file of process 1 in its procfs, so it gets a procfs of links in which it is there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TABLES: Final = Path("/run/opmas-host")
PROC: Final = Path("/proc")
# What a module that is loaded later brings: a link that leads nowhere is a file that is not there.
LATER: Final = ("drbd", "fs", "mdstat", "net", "spl")
# What Debian's program leaves out; see its --help.
_LEFT_OUT: Final = (
    "dev", "media", "mnt", "proc", "run", "sys",
    "var/lib/containers/storage/.+", "var/lib/docker/.+",
)  # fmt: skip
_HOMES: Final = ("home", "root")
_OWN: Final = ("tmp", "var/lib/private", "var/tmp")  # mounts that are the sandbox's


def make_procfs(runtime: Path | None, tables: Path = TABLES, proc: Path = PROC) -> Path:
    """Return the procfs that the exporter is to read: one of links, else the system's."""
    if runtime is None or not tables.is_dir():
        return proc
    made = runtime / "proc"
    (made / "1").mkdir(parents=True, exist_ok=True)
    for table in tables.iterdir():
        _link(made / "1" / table.name, table)
    for name in {*LATER, *(entry.name for entry in proc.iterdir())}:
        if not name.isdecimal():
            _link(made / name, proc / name)
    own = str(os.getpid())  # and the exporter's, which reads it from the text of the link
    _link(made / "self", Path(own))
    _link(made / own, proc / own)
    return made


def left_out(root: Path, *, has_tables: bool) -> str:
    """Return the pattern of the mount points whose figures would not be the host's."""
    homes = [home for home in _HOMES if not os.access(root / home, os.X_OK)]
    own = () if has_tables else _OWN
    return f"^/({'|'.join((*_LEFT_OUT, *homes, *own))})($|/)"


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
