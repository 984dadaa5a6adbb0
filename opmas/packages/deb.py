"""What dpkg says about the packages of agents. Read only; the only caller of dpkg-query."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Final

from opmas.errors import BackendError

PREFIX: Final = "opmas-agent-"
TIMEOUT: Final = 10.0  # seconds; dpkg-query reads one file and takes no lock


@dataclass(frozen=True, slots=True)
class Deb:
    """An installed or half-installed Debian package."""

    name: str
    version: str
    configured: bool  # "ii": its files are all there, and its conffiles too
    present: bool = True  # not removed, whatever of it is left


def agent_debs() -> dict[str, Deb]:
    """Return the Debian packages of agents by name."""
    command = [
        "/usr/bin/dpkg-query",
        "--show",
        "--showformat=${Package}\t${Version}\t${db:Status-Abbrev}\n",
        f"{PREFIX}*",
    ]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"cannot ask dpkg for the agents' packages: {error}") from error
    if result.returncode not in {0, 1}:  # 1: no package matches the pattern
        raise BackendError(f"cannot ask dpkg for the agents' packages: {result.stderr.strip()}")
    return parse_debs(result.stdout)


def parse_debs(text: str) -> dict[str, Deb]:
    """Return the packages in the output of dpkg-query; see dpkg-query(1) for the status."""
    debs = {}
    for line in text.splitlines():
        name, version, status = line.split("\t")
        configured = status[1:2] == "i" and status[2:].strip() == ""
        debs[name] = Deb(name, version, configured, present=status[1:2] not in {"n", "c"})
    return debs
