"""The first command that a new user runs, on both kinds of machine."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import RUN, Host, list_hosts
from tests.system.install import build

ROOT = Path(__file__).resolve().parents[3]
QUICKSTART = "packaging/quickstart"
DEMO = f"quickstart-{RUN}"
AGENT = "opmas-agent@hostwatch.service"


def quickstart(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / QUICKSTART, *options],
        env={**os.environ, "OPMAS_DEMO_HOST": DEMO},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def checkout(bare_host: Host, tmp_path: Path) -> str:
    """A host with a systemd of its own, and a copy of this tree with its packages on it."""
    build("--reuse")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    files = [name for name in listed.splitlines() if (ROOT / name).exists()]
    archive = tmp_path / "tree.tar"
    subprocess.run(["tar", "-C", ROOT, "-cf", archive, *files, "dist"], check=True)
    bare_host.copy_in(archive, "/root/tree.tar")
    bare_host.run("sh", "-c", "mkdir opmas && tar -C opmas -xf tree.tar && rm tree.tar")
    return "/root/opmas"


@pytest.fixture
def demo() -> Iterator[None]:
    yield

    quickstart("--lab", "--remove")


def test_it_shows_opmas_at_work_in_a_lab_host_and_can_be_run_again(debs: Path, demo: None) -> None:
    first = quickstart("--lab")
    again = quickstart("--lab")
    removed = quickstart("--lab", "--remove")

    assert first.returncode == again.returncode == removed.returncode == 0, first.stderr
    assert f"packaging/lab exec {DEMO} -- bash" in first.stdout
    assert '"phase":"running"' in first.stdout
    assert "the agent hostwatch exists already" in again.stdout
    assert DEMO not in {host["name"] for host in list_hosts()}


def test_it_installs_on_a_machine_that_runs_systemd(bare_host: Host, checkout: str) -> None:
    first = bare_host.run(f"{checkout}/{QUICKSTART}", timeout=120)
    agent = bare_host.run("systemctl", "show", "--property=InvocationID", AGENT).stdout

    again = bare_host.run(f"{checkout}/{QUICKSTART}", timeout=120)

    assert "OPMAS runs on this machine." in first.stdout
    assert '"phase":"running"' in first.stdout
    assert "the agent hostwatch exists already" in again.stdout
    assert bare_host.run("systemctl", "show", "--property=InvocationID", AGENT).stdout == agent
    assert "no tokens yet" in bare_host.run("opmas", "token", "list").stdout


def test_it_removes_what_it_installed(bare_host: Host, checkout: str) -> None:
    bare_host.run(f"{checkout}/{QUICKSTART}", timeout=120)

    bare_host.run(f"{checkout}/{QUICKSTART}", "--remove", timeout=120)

    left = bare_host.run(
        "dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}", "*opmas*", check=False
    )
    assert left.stdout == ""
    assert bare_host.run("ls", "/etc/opmas", "/var/lib/opmas", check=False).returncode != 0


def test_it_says_what_it_would_need_without_root(bare_host: Host, checkout: str) -> None:
    bare_host.run("chmod", "755", "/root")

    done = bare_host.run(
        "setpriv", "--reuid=65534", "--clear-groups", f"{checkout}/{QUICKSTART}", check=False
    )

    assert done.returncode == 1
    assert "it needs root; run: sudo" in done.stderr
