"""Which file systems this host has, and by which path each can be asked: from mountinfo.

Pure. A file system is known by its device number, so that bind mounts, btrfs subvolumes and the
sandbox's own binds (PrivateTmp=, StateDirectory=) are one with what they show. An agent's own
mount namespace misleads in three ways, and all three are handled here:

- ProtectSystem= remounts everything read-only: so read-only is read from the super block's
  options, which are the host's, and never from the mount's;
- PrivateTmp= and friends mount over paths: so a path counts only when it leads to a mount of that
  very file system (`Filesystem.mount_ids`);
- ProtectHome= takes whole mounts away: `hidden_mounts` tells which, from fstab.
"""

from __future__ import annotations

from typing import NamedTuple

from .patterns import matches

# Not storage: the kernel's windows, triggers of mounts, images that are full by nature.
PSEUDO_TYPES = frozenset(
    {
        "autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset",
        "debugfs", "devpts", "devtmpfs", "efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs",
        "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs",
        "resctrl", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
    }
)  # fmt: skip

# The words for a file system that takes no writes. Since Linux 6.15 ext4 shows an error stop as
# emergency_ro and keeps "rw"; shutdown is what its FS_IOC_SHUTDOWN shows.
READ_ONLY_OPTIONS = frozenset({"ro", "emergency_ro", "shutdown"})

# Where systemd keeps the empty directory that it mounts over what a service may not see.
INACCESSIBLE = "/systemd/inaccessible/dir"

ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\"))


class Mount(NamedTuple):
    """One line of mountinfo; `device` is `major:minor`."""

    mount_id: int
    device: str
    root: str
    mountpoint: str
    fs_type: str
    source: str
    super_options: frozenset[str]


class Filesystem(NamedTuple):
    """One file system: named by its best mount point, reachable by any of `paths`."""

    device: str
    mountpoint: str
    fs_type: str
    read_only: bool
    paths: tuple[str, ...]
    mount_ids: frozenset[int]


def parse_mountinfo(text: str) -> list[Mount]:
    """Read the text of /proc/self/mountinfo, in its order."""
    mounts = []
    for line in text.split("\n"):  # a mount point may have other line ends in it
        front, separator, back = line.partition(" - ")
        first, last = front.split(" "), back.split(" ")
        if not separator or len(first) < 6 or len(last) < 3 or not first[0].isdecimal():  # noqa: PLR2004 (proc(5): the fixed fields)
            continue
        mounts.append(
            Mount(
                mount_id=int(first[0]),
                device=first[2],
                root=_unescape(first[3]),
                mountpoint=_unescape(first[4]),
                fs_type=last[0],
                source=_unescape(last[1]),
                super_options=frozenset(last[2].split(",")),
            )
        )
    return mounts


def parse_fstab(text: str) -> list[str]:
    """Read the mount points of the text of /etc/fstab, without swap."""
    lines = (line.split() for line in text.splitlines())
    return [
        _unescape(words[1])
        for words in lines
        if len(words) > 1 and not words[0].startswith("#") and words[1].startswith("/")
    ]


def find_filesystems(
    mounts: list[Mount], ignore_types: list[str], ignore_mounts: list[str]
) -> list[Filesystem]:
    """Return the real file systems among the mounts, one per device, in order of mount point."""
    groups: dict[str, list[Mount]] = {}
    for mount in mounts:
        if mount.fs_type not in PSEUDO_TYPES and not matches(mount.fs_type, ignore_types):
            groups.setdefault(mount.device, []).append(mount)
    found = (_filesystem(group) for group in groups.values())
    return sorted(
        (fs for fs in found if not matches(fs.mountpoint, ignore_mounts)),
        key=lambda fs: fs.mountpoint,
    )


def hidden_mounts(mounts: list[Mount], fstab: list[str]) -> list[str]:
    """Return the mount points of fstab that lie where the sandbox lets the agent see nothing."""
    closed = [mount.mountpoint for mount in mounts if mount.root.endswith(INACCESSIBLE)]
    return [path for path in fstab if any(f"{path}/".startswith(f"{top}/") for top in closed)]


def _filesystem(group: list[Mount]) -> Filesystem:
    # The mount of the whole file system names it, before binds of parts of it; of several of
    # these (btrfs subvolumes) the shortest, as / is before /home.
    ranked = sorted(group, key=lambda mount: (mount.root != "/", len(mount.mountpoint)))
    best = ranked[0]
    return Filesystem(
        device=best.device,
        mountpoint=best.mountpoint,
        fs_type=best.fs_type,
        read_only=not READ_ONLY_OPTIONS.isdisjoint(best.super_options),
        paths=tuple(dict.fromkeys(mount.mountpoint for mount in ranked)),
        mount_ids=frozenset(mount.mount_id for mount in group),
    )


def _unescape(field: str) -> str:
    if "\\" in field:
        for code, character in ESCAPES:  # the backslash itself last
            field = field.replace(code, character)
    return field
