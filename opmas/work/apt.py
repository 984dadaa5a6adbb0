"""apt, asked and told: the only caller of apt-get and apt-cache."""

from __future__ import annotations

import os
import pwd
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.errors import BackendError
from opmas.work.children import Child, ask
from opmas.work.dpkg import LOCK_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.work.children import Log
    from opmas.work.task import Report

APT_GET: Final = "/usr/bin/apt-get"
ARCHIVES: Final = Path("/var/cache/apt/archives")
RUN_LIMIT: Final = 1500.0  # seconds: a slow mirror, and dependencies with slow scripts
REFRESH_LIMIT: Final = 600.0
LOCK_DELAY: Final = 0.5
SANDBOX_USER: Final = "_apt"

# As for dpkg itself: an edited configuration file stays, and nobody is asked. No recommended
# packages: a change of an agent brings what it cannot do without, and nothing else.
OPTIONS: Final = (
    "-y",
    "-q",
    "--no-install-recommends",
    "-o", "Dpkg::Options::=--force-confdef",
    "-o", "Dpkg::Options::=--force-confold",
    "-o", "Dpkg::Use-Pty=0",
    "-o", "APT::Get::AutomaticRemove=false",
    "-o", f"DPkg::Lock::Timeout={LOCK_LIMIT:.0f}",
    "-o", "Acquire::Retries=2",
    "-o", "Acquire::http::Timeout=30",
)  # fmt: skip
_LOCKED: Final = "E: Could not get lock"


@dataclass(frozen=True, slots=True)
class Policy:
    """What apt knows of a package: installed, what it would install, and all it could have."""

    installed: str = ""
    candidate: str = ""
    versions: tuple[str, ...] = ()


def policy(deb: str) -> Policy:
    """Return the package's versions; of the repositories' those that apt prefers come first."""
    rows = ask("/usr/bin/apt-cache", "policy", "--", deb)
    table = ask("/usr/bin/apt-cache", "madison", "--", deb)
    if rows.code or table.code:
        said = (rows.stderr or table.stderr).strip()[:200]
        raise BackendError(f"cannot ask apt for the versions of {deb}: {said}")
    return parse_policy(rows.stdout, table.stdout)


def parse_policy(policy_text: str, madison_text: str) -> Policy:
    """Return the versions in the output of `apt-cache policy` and `apt-cache madison`."""
    named = {}
    for line in policy_text.splitlines():
        key, _, value = line.strip().partition(": ")
        if key in {"Installed", "Candidate"} and value != "(none)":
            named[key] = value.strip()
    rows = (line.split("|") for line in madison_text.splitlines())
    versions = dict.fromkeys(r[1].strip() for r in rows if len(r) > 2 and "Sources" not in r[2])  # noqa: PLR2004 -- name, version, origin
    return Policy(named.get("Installed", ""), named.get("Candidate", ""), tuple(versions))


def run(*argv: str, log: Log, report: Report, limit: float = RUN_LIMIT) -> int:
    """Run apt-get, waiting for the locks of others, and return its exit code."""
    percent = _Percent(report)
    child = Child((APT_GET, *OPTIONS, *argv), log, {})
    return _retried(lambda: child.run(limit, percent.take, "-oAPT::Status-Fd={}"), log)


def refresh(log: Log, report: Report) -> tuple[str, ...]:
    """Fetch the lists of all repositories and return what apt warns of.

    `BackendError` when one could not be had; the lists that were had are in force.
    """
    code = run(
        "-oAPT::Update::Error-Mode=any", "update", log=log, report=report, limit=REFRESH_LIMIT
    )
    said = tuple(line for line in log.tail if line.startswith(("E: ", "W: ")))
    if code:
        raise BackendError("cannot fetch the lists of the apt repositories", said)
    return said


def download(deb: str, version: str, folder: Path) -> Path | None:
    """Fetch the .deb of that version into the empty directory; None when no repository has it.

    Apt does it as its own user, to whom the directory is given meanwhile.
    """
    with suppress(KeyError):  # no such user: it fetches as root
        os.chown(folder, pwd.getpwnam(SANDBOX_USER).pw_uid, -1)
    ask(APT_GET, "-q", "-oAcquire::Retries=1", "download", f"{deb}={version}",
        limit=REFRESH_LIMIT, cwd=folder)  # fmt: skip
    os.chown(folder, 0, 0)
    return next(folder.glob("*.deb"), None)


def _retried(run_once: Callable[[], int], log: Log) -> int:
    """Run again while another holds a lock for which apt does not wait itself."""
    deadline = time.monotonic() + LOCK_LIMIT
    while True:
        code = run_once()
        locked = any(line.startswith(_LOCKED) for line in log.tail)
        if not code or not locked or time.monotonic() > deadline:
            return code
        time.sleep(LOCK_DELAY)


class _Percent:
    """Reads apt's status lines: `dlstatus:1:20.5:Retrieving`, `pmstatus:deb:60.0:Unpacking`."""

    STEPS: Final = {"dlstatus": "download", "pmstatus": "configure"}

    def __init__(self, report: Report) -> None:
        self._report = report

    def take(self, line: str) -> None:
        kind, _, rest = line.partition(":")
        percent = rest.partition(":")[2].partition(":")[0].split(".")[0]
        if kind in self.STEPS and percent.isdigit():
            self._report(self.STEPS[kind], int(percent), 100)
