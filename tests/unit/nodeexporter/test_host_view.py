"""The exporter's view of the host: its mounts, and not those of the sandbox."""

import os
import re

import pytest

from tests.unit.nodeexporter.exporter import host_view


@pytest.fixture
def host(tmp_path):
    """A procfs, the tables that were granted, and homes that cannot be entered."""
    for name in ("proc/42", "proc/net", "tables", "home", "root", "runtime"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/stat").write_text("cpu 1")
    (tmp_path / "tables/mounts").write_text("/dev/sda1 / ext4 rw 0 0")
    return tmp_path


def procfs(host):
    return host_view.make_procfs(host / "runtime", host / "tables", host / "proc")


def test_the_hosts_mounts_are_those_of_process_1(host):
    made = procfs(host)

    assert (made / "1/mounts").read_text() == "/dev/sda1 / ext4 rw 0 0"
    assert (made / "stat").read_text() == "cpu 1"
    assert not (made / "42").exists()


def test_the_process_finds_itself_by_the_text_of_a_link(host):
    own = host / "proc" / str(os.getpid())
    own.mkdir()
    (own / "comm").write_text("exporter")

    made = procfs(host)

    assert (made / "self").readlink().name == own.name
    assert (made / "self/comm").read_text() == "exporter"


def test_what_a_module_brings_later_is_seen(host):
    made = procfs(host)

    (host / "proc/mdstat").write_text("md0")

    assert (made / "mdstat").read_text() == "md0"


def test_it_can_be_made_again(host):
    procfs(host)

    made = procfs(host)

    assert (made / "stat").read_text() == "cpu 1"


def test_where_nothing_was_granted_the_procfs_is_the_systems(host):
    made = host_view.make_procfs(host / "runtime", host / "none", host / "proc")

    assert made == host / "proc"


@pytest.mark.parametrize(
    ("mount_point", "is_left_out"),
    [("/", False), ("/srv", False), ("/home", True), ("/home/me", True), ("/homes", False),
     ("/tmp", False), ("/proc/sys", True), ("/var/lib/docker/x", True), ("/rootfs", False)],
)  # fmt: skip
def test_homes_that_are_hidden_have_no_figures(tmp_path, mount_point, is_left_out):
    pattern = host_view.left_out(tmp_path, has_tables=True)

    assert bool(re.search(pattern, mount_point)) == is_left_out


def test_homes_that_are_not_hidden_have_figures(host):
    pattern = host_view.left_out(host, has_tables=True)

    assert not re.search(pattern, "/home")


def test_the_sandboxs_own_mounts_have_no_figures(tmp_path):
    pattern = host_view.left_out(tmp_path, has_tables=False)

    assert re.search(pattern, "/tmp")
