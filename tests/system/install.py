"""How the Debian packages get onto a lab host."""

import subprocess
from pathlib import Path
from typing import Final

from tests.lab import Host, wait_for

BUILD: Final = Path(__file__).resolve().parents[2] / "packaging" / "build"
BUILD_TIMEOUT: Final = 600.0  # seconds; the first build on a machine installs what it needs
INSTALL_TIMEOUT: Final = 180.0
FOUND_WITHIN: Final = 5.0
NAMES: Final = (
    "opmas",
    "opmas-agent-hostwatch",
    "opmas-api",
    "opmas-manager",
    "python3-opmas-agent",
)
# An agent that brings programs of Debian's along, and is asked for by name.
OPTIONAL: Final = ("opmas-agent-node-exporter",)
APT: Final = (
    "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q",
    "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
)  # fmt: skip


def build(*options: str) -> None:
    """Run packaging/build, or fail with all that it said."""
    done = subprocess.run(
        [BUILD, *options], capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def install(host: Host, debs: Path, *names: str) -> None:
    """Install the named packages of the directory, or all but the optional, in one run of apt."""
    wanted = names or NAMES
    host.copy_in(debs, "/root/debs")
    files = [f"/root/debs/{_file(debs, name)}" for name in wanted]
    host.run(*APT, "install", *files, timeout=INSTALL_TIMEOUT)
    host.run("rm", "-r", "/root/debs")


def apt(host: Host, *arguments: str) -> None:
    """Run apt-get in the host with no question asked."""
    host.run(*APT, *arguments, timeout=INSTALL_TIMEOUT)


def create_agent(host: Host) -> None:
    """Create the agent hostwatch, once its package was found, and see it run."""
    create = ("opmas", "agent", "create", "hostwatch", "--grant-all")
    wait_for(
        lambda: host.run("opmas", "package", "show", "hostwatch", check=False).returncode == 0,
        FOUND_WITHIN, "hostwatch found",
    )  # fmt: skip
    host.run(*create)


def _file(debs: Path, name: str) -> str:
    (found,) = debs.glob(f"{name}_*.deb")
    return found.name
