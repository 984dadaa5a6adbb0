"""Users, directories, disk, database and Python: what OPMAS finds on the host's file system."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from opmas.cli.checks.model import FAILED, OK, WARNING, Check
from opmas.cli.text import size
from opmas.errors import StoreError
from opmas.store.check import find_damage

if TYPE_CHECKING:
    from opmas.cli.checks.model import Host

GROUP: Final = "opmas"
PRIVATE: Final = 0o077  # credentials of agents are below: nobody else may look
SHARED: Final = 0o022  # root runs or obeys what is there: nobody else may write

LOW_BYTES: Final = 256 * 1024**2  # the event log and every agent's state grow
FULL_BYTES: Final = 16 * 1024**2
LOW_SHARE: Final = 0.05
LOW_INODES: Final = 1000


def check_users(host: Host) -> Check:
    """Check that the group that may use the manager's socket exists."""
    if host.run(["getent", "group", GROUP]).code != 0:
        mend = "systemd-sysusers, or: apt install --reinstall opmas-manager"
        return Check("group", FAILED, f"there is no group {GROUP}", mend)
    return Check("group", OK, f"the group {GROUP} exists; its members may use opmas")


def check_directories(host: Host) -> list[Check]:
    """Check owners and permissions of the directories that OPMAS trusts."""
    manager = host.settings.manager
    runtime = str(Path(manager.socket).parent)
    checks = [
        _directory(host, "state directory", manager.state_dir, PRIVATE),
        _directory(host, "configuration", str(host.config_dir), SHARED),
        _directory(host, "runtime directory", runtime, SHARED),
    ]
    checks += [_directory(host, "packages", path, SHARED) for path in manager.packages_path]
    return checks


def _directory(host: Host, name: str, absolute: str, forbidden: int) -> Check:
    path = host.path(absolute)
    try:
        found = path.stat()
    except FileNotFoundError:
        mend = "systemctl restart opmas-manager, or: apt install --reinstall opmas-manager"
        return Check(name, WARNING, f"{absolute} does not exist", mend)
    except PermissionError:
        return Check(name, WARNING, f"{absolute} cannot be seen", "run `opmas doctor` as root")
    if not stat.S_ISDIR(found.st_mode):
        mend = f"move {absolute} away"
        return Check(name, FAILED, f"{absolute} is not a directory", mend)
    if found.st_uid != host.owner:
        owner = f"user {found.st_uid}"
        mend = f"chown {host.owner} {absolute}"
        return Check(name, FAILED, f"{absolute} belongs to {owner}, not to root", mend)
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        mend = f"chmod {mode & ~forbidden:04o} {absolute}"
        found_mode = f"{absolute} has mode {mode:04o}: others may reach what is root's"
        return Check(name, FAILED, found_mode, mend)
    return Check(name, OK, f"{absolute}, mode {mode:04o}")


class Space(NamedTuple):
    """What is left on a file system."""

    free_bytes: int
    total_bytes: int
    free_inodes: int
    total_inodes: int


def check_disk(host: Host) -> Check:
    """Check that the state's file system has room."""
    path = host.path(host.settings.manager.state_dir)
    while not path.exists() and path != path.parent:
        path = path.parent
    found = os.statvfs(path)
    space = Space(
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail,
        found.f_files,
    )
    return judge_space(host.settings.manager.state_dir, space)


def judge_space(where: str, space: Space) -> Check:
    """Return whether the space is enough; a file system without inodes counts none."""
    mend = f"free space: `du -xh --max-depth=2 {where}`, `journalctl --vacuum-size=200M`"
    left = f"{size(space.free_bytes)} of {size(space.total_bytes)} free for {where}"
    few_inodes = space.total_inodes > 0 and space.free_inodes < LOW_INODES
    inodes = f", {space.free_inodes} inodes" if space.total_inodes > 0 else ""
    if space.free_bytes < FULL_BYTES or (few_inodes and space.free_inodes == 0):
        return Check("disk", FAILED, f"{left}{inodes}: nothing can be saved soon", mend)
    low = space.free_bytes < min(LOW_BYTES, space.total_bytes * LOW_SHARE)
    if low or few_inodes:
        return Check("disk", WARNING, f"{left}{inodes}: it is getting full", mend)
    return Check("disk", OK, f"{left}{inodes}")


def check_database(host: Host) -> Check:
    """Check that the manager's database is sound."""
    absolute = f"{host.settings.manager.state_dir}/manager.db"
    path = host.path(absolute)
    try:
        if not path.exists():
            mend = "systemctl start opmas-manager makes it"
            return Check("database", WARNING, f"{absolute} does not exist", mend)
        damage = find_damage(path)
    except PermissionError:
        mend = "run `opmas doctor` as root"
        return Check("database", WARNING, f"{absolute} cannot be read", mend)
    except StoreError as error:
        return Check("database", FAILED, error.message, _mend_database(absolute))
    if damage:
        found = f"{absolute} is damaged: {damage[0]}"
        return Check("database", FAILED, found, _mend_database(absolute))
    return Check("database", OK, f"{absolute} is sound, {size(path.stat().st_size)}")


def _mend_database(absolute: str) -> str:
    return f"systemctl restart opmas-manager: it restores {absolute} from its newest good backup"


def check_python(host: Host) -> Check:
    """Check that the agents' Python finds the SDK."""
    agents = host.settings.agents
    code = "import opmas.agent, opmas.version; print(opmas.version.VERSION)"
    environ = [f"PYTHONPATH={':'.join(agents.pythonpath)}"] if agents.pythonpath else []
    answer = host.run(["/usr/bin/env", *environ, agents.python, "-sP", "-c", code])
    if answer.code != 0:
        reason = answer.error.split("\n")[-1]
        mend = "apt install python3-opmas-agent"
        found = f"{agents.python} cannot import opmas.agent: {reason}"
        return Check("agents' Python", WARNING, f"{found}; agents in Python do not start", mend)
    return Check("agents' Python", OK, f"{agents.python} has opmas.agent {answer.text}")
