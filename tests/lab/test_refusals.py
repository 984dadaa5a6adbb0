"""What the lab refuses, and what it says of its images and hosts."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Host, call_lab, list_hosts

pytestmark = pytest.mark.system

LAB_DIR = Path(os.environ.get("OPMAS_LAB_DIR", "/var/lib/opmas-lab"))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host.up("shown") as host:
        yield host


@pytest.mark.parametrize("verb", ["exec", "root", "kill", "boot", "down"])
def test_a_host_that_does_not_exist_is_named_in_the_error(verb: str) -> None:
    done = call_lab(verb, "nobody")

    assert done.returncode == 1
    assert "nobody: no such host" in done.stderr


@pytest.mark.parametrize("verb", ["up", "exec", "root", "kill", "boot", "down"])
@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "A", "a_b", "-a", "a-", "a\nb", "a" * 33]
)
def test_a_name_that_could_leave_the_lab_is_refused(verb: str, name: str) -> None:
    done = call_lab(verb, name)

    assert done.returncode == 1
    assert "a name is up to 32 of a-z, 0-9 and -" in done.stderr


@pytest.mark.parametrize(
    "address",
    ["10.77.0.1", "10.77.0.255", "10.77.0.02", "10.78.0.2", "10.77.0", "10.77.0.2/8", "x"],
)
def test_an_address_outside_the_lab_network_is_refused(address: str) -> None:
    done = call_lab("up", "no-such-address", address)

    assert done.returncode == 1
    assert "is no address from 10.77.0.2 to 10.77.0.254" in done.stderr
    assert "no-such-address" not in {host["name"] for host in list_hosts()}


@pytest.mark.parametrize("verb", [["build"], ["up", "no-such-suite"]])
@pytest.mark.parametrize("suite", ["sarge", ""])
def test_a_suite_that_the_lab_does_not_know_is_refused(verb: list[str], suite: str) -> None:
    done = call_lab(verb[0], "--suite", suite, *verb[1:])

    assert done.returncode == 1
    assert "choose one of: bookworm trixie" in done.stderr
    assert "no-such-suite" not in {host["name"] for host in list_hosts()}


def test_a_running_host_is_neither_made_nor_booted_again(host: Host) -> None:
    made = call_lab("up", host.name)
    booted = call_lab("boot", host.name)

    assert (
        made.stderr
        == f"lab: cannot make {host.name}: it exists; remove it with: lab down {host.name}\n"
    )
    assert booted.stderr == f"lab: cannot boot {host.name}: it is running\n"


def test_a_directory_that_is_no_lab_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()

    done = call_lab("list", environment={**os.environ, "OPMAS_LAB_DIR": str(tmp_path)})

    assert done.returncode == 1
    assert "it is not empty and not a lab" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


# Images and the list


def test_a_build_that_fails_says_where_its_log_is_and_the_next_one_clears_up(
    tmp_path: Path,
) -> None:
    environment = {
        **os.environ,
        "OPMAS_LAB_DIR": str(tmp_path),
        "OPMAS_LAB_MIRROR": "file:///none",
    }
    call_lab("list", environment=environment)
    half_built = tmp_path / "image-0123.new"
    half_built.mkdir()

    done = call_lab("build", environment=environment)

    assert done.returncode == 1
    assert f"cannot build: see {tmp_path}/build.log" in done.stderr
    assert not half_built.exists()
    assert [path for path in tmp_path.glob("image-*") if path.suffix != ".new"] == []


def test_a_half_built_image_with_a_mount_in_it_is_not_removed(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "OPMAS_LAB_DIR": str(tmp_path),
        "OPMAS_LAB_MIRROR": "file:///none",
    }
    call_lab("list", environment=environment)
    mounted = tmp_path / "image-0123.new" / "proc"
    mounted.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    subprocess.run(["mount", "--bind", precious, mounted], check=True)

    try:
        done = call_lab("build", environment=environment)
    finally:
        subprocess.run(["umount", mounted], check=True)

    assert f"{mounted} is mounted; umount it first" in done.stderr
    assert (precious / "file").exists()


def test_build_does_nothing_when_the_image_is_there(host: Host) -> None:
    done = call_lab("build")

    assert (done.returncode, done.stderr) == (0, "")


def test_list_as_json_describes_every_host(host: Host) -> None:
    hosts = list_hosts()

    described = next(each for each in hosts if each["name"] == host.name)
    assert described["state"] == "running"
    assert described["address"] is None
    assert Path(f"/proc/{described['pid']}/comm").read_text() == "systemd\n"
    assert described["booted_at"].endswith("Z")
    assert described["uptime_seconds"] >= 0
    assert described["disk_bytes"] > 0
    assert (LAB_DIR / described["image"]).is_dir()


def test_an_empty_list_is_still_json(tmp_path: Path) -> None:
    done = call_lab("list", "--json", environment={**os.environ, "OPMAS_LAB_DIR": str(tmp_path)})

    assert json.loads(done.stdout) == []


def test_help_names_every_verb() -> None:
    text = call_lab("--help").stdout

    assert all(
        f"\n  {verb} " in text
        for verb in ["build", "up", "exec", "root", "kill", "boot", "down", "list"]
    )
