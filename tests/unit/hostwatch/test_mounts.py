"""Which file systems there are, as seen from outside and from inside an agent's sandbox."""

import pytest

from opmas.agents.hostwatch.hostwatch.mounts import (
    find_filesystems,
    hidden_mounts,
    parse_fstab,
    parse_mountinfo,
)
from opmas.agents.hostwatch.hostwatch.settings import IGNORED_MOUNTS, IGNORED_TYPES

# From a service with ProtectSystem=strict, ProtectHome=yes, PrivateTmp=yes, PrivateDevices=yes and
# DynamicUser=yes on Debian 12, shortened.
SANDBOX = r"""
382 354 254:1 / / ro,nosuid,relatime shared:143 master:79 - ext4 /dev/vda1 rw,discard,errors=remount-ro
383 382 0:71 / /run rw,nosuid,nodev,relatime shared:176 master:112 - tmpfs tmpfs rw,mode=755
384 383 0:78 / /run/lock rw,nosuid,nodev,noexec,relatime shared:177 master:134 - tmpfs tmpfs rw,size=5120k
398 382 0:76 / /sys ro,nosuid,nodev,noexec,relatime shared:181 master:122 - sysfs sysfs ro
399 398 0:77 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:182 master:123 - tmpfs tmpfs ro,size=4096k
410 382 0:83 / /dev ro,nosuid,noexec shared:196 - tmpfs tmpfs rw,size=4096k,nr_inodes=65536,mode=755
412 410 0:74 / /dev/shm rw,nosuid,nodev,relatime shared:198 master:115 - tmpfs tmpfs rw
388 382 0:71 /systemd/inaccessible/dir /home ro,nosuid,nodev,noexec,relatime shared:200 - tmpfs tmpfs rw,mode=755
389 382 0:84 / /proc rw,nosuid,nodev,noexec,relatime shared:201 - proc proc rw,hidepid=invisible
394 389 0:71 /systemd/inaccessible/reg /proc/kallsyms ro,nosuid shared:206 - tmpfs tmpfs rw,mode=755
414 382 0:71 /systemd/inaccessible/dir /root ro,nosuid,nodev,noexec,relatime shared:210 - tmpfs tmpfs rw,mode=755
418 382 254:1 /tmp/systemd-private-3fb-x.service-Grk/tmp /tmp rw,nosuid shared:211 master:79 - ext4 /dev/vda1 rw,discard
419 382 0:85 / /var/lib/private ro,nosuid,nodev,noexec shared:212 - tmpfs tmpfs rw,size=4096k
420 419 254:1 /var/lib/private/opmas-agents/x /var/lib/private/opmas-agents/x rw shared:213 - ext4 /dev/vda1 rw,discard
"""  # noqa: E501 (as the kernel has it)


def found(text: str):
    return find_filesystems(parse_mountinfo(text), IGNORED_TYPES, IGNORED_MOUNTS)


def test_inside_the_sandbox_the_hosts_file_systems_are_found_once_each():
    filesystems = found(SANDBOX)

    assert [fs.mountpoint for fs in filesystems] == ["/", "/run", "/run/lock"]


def test_the_sandboxs_own_read_only_mounts_are_not_the_file_systems():
    filesystems = found(SANDBOX)

    assert not any(fs.read_only for fs in filesystems)


def test_a_file_system_can_be_asked_by_each_of_its_mounts():
    root = found(SANDBOX)[0]

    assert root.paths == ("/", "/tmp", "/var/lib/private/opmas-agents/x")
    assert root.mount_ids == {382, 418, 420}


def test_btrfs_subvolumes_are_one_file_system_named_by_the_shortest_path():
    filesystems = found(
        "29 1 0:26 /@home /home rw shared:1 - btrfs /dev/sda2 rw,subvol=/@home\n"
        "30 1 0:26 /@ / rw shared:1 - btrfs /dev/sda2 rw,subvol=/@\n"
    )

    assert [fs.mountpoint for fs in filesystems] == ["/"]


def test_a_mount_without_optional_fields_or_with_many_is_read():
    mounts = parse_mountinfo(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "28 1 8:1 / /a rw shared:1 master:2 propagate_from:3 unbindable - xfs /dev/sda1 rw,attr2\n"
    )

    assert [(mount.mountpoint, mount.fs_type) for mount in mounts] == [
        ("/", "ext4"),
        ("/a", "xfs"),
    ]


def test_blanks_line_ends_and_backslashes_in_a_mount_point_are_read():
    (mount,) = parse_mountinfo(r"9 1 8:1 / /mnt/a\040b\012c\134040 rw - ext4 /dev/a\040b rw")

    assert mount.mountpoint == "/mnt/a b\nc\\040"


@pytest.mark.parametrize(
    "line",
    ["", "27 1 254:0 / / rw", "27 1 - ext4 /dev/vda rw", "x 1 8:1 / / rw - ext4 a rw", " - "],
)
def test_a_line_that_is_no_mount_is_skipped(line):
    assert parse_mountinfo(line) == []


@pytest.mark.parametrize(
    ("options", "read_only"),
    [
        ("rw,errors=remount-ro", False),
        ("ro,errors=remount-ro", True),
        ("rw,emergency_ro", True),
        ("rw,shutdown", True),
        ("rw,nro", False),
    ],
)
def test_read_only_is_what_the_file_system_itself_says(options, read_only):
    (fs,) = found(f"27 1 254:0 / / rw - ext4 /dev/vda {options}")

    assert fs.read_only is read_only


@pytest.mark.parametrize(
    "line",
    [
        "5 1 0:40 / /mnt/auto rw - autofs systemd-1 rw,fd=30",
        "5 1 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro",
        "5 1 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw",
        "5 1 0:51 / /run/user/1000 rw - tmpfs tmpfs rw",
        "5 1 0:52 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw",
    ],
)
def test_what_is_no_storage_of_the_host_is_ignored(line):
    assert found(line) == []


def test_network_file_systems_are_real():
    (fs,) = found("5 1 0:60 / /srv/nfs rw - nfs4 server:/export rw,vers=4.2,hard")

    assert fs.mountpoint == "/srv/nfs"


def test_fstab_gives_mount_points_and_no_swap():
    fstab = parse_fstab(
        "# /x\nUUID=1 / ext4 defaults 0 1\n/dev/sdb /home/a\\040b xfs\nUUID=2 none swap sw 0 0\n\n"
    )

    assert fstab == ["/", "/home/a b"]


def test_a_file_system_below_a_closed_directory_is_named():
    hidden = hidden_mounts(
        parse_mountinfo(SANDBOX), ["/", "/home", "/home/data", "/homes", "/srv"]
    )

    assert hidden == ["/home", "/home/data"]
