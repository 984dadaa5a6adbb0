"""dpkg, asked and told: the only caller of dpkg, dpkg-deb and dpkg-query in the worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.documents import fields
from opmas.errors import BackendError, InvalidError
from opmas.work.children import Child, Log, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opmas.work.task import Report

FRONTEND_LOCK: Final = Path("/var/lib/dpkg/lock-frontend")
LOCK_LIMIT: Final = 120.0  # seconds; unattended-upgrades holds it for minutes, a person waits less
LOCK_DELAY: Final = 0.2
RUN_LIMIT: Final = 600.0  # seconds for one package's scripts
DPKG: Final = "/usr/bin/dpkg"
LOCKED: Final = {"DPKG_FRONTEND_LOCKED": "1"}  # dpkg: the caller has the lock
KEEP_CONFFILES: Final = ("--force-confdef", "--force-confold")  # an edited one stays, unasked

# Only packages of agents: nothing else on the host is OPMAS's to change.
DEB_NAME: Final = re.compile(r"opmas-agent-[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# deb-version(7). The last character is none that apt takes for "install" or "remove" after a name.
DEB_VERSION: Final = re.compile(r"(?:[0-9]{1,9}:)?[0-9](?:[A-Za-z0-9.+~-]{0,126}[A-Za-z0-9])?")

deb_name: Final = fields.matching(DEB_NAME, "must be a Debian package like opmas-agent-web")
deb_version: Final = fields.matching(DEB_VERSION, "must be a Debian version like 1.2-1")


@dataclass(frozen=True, slots=True)
class Status:
    """What dpkg knows of a package: its version, whether all is well with it, and held."""

    version: str = ""
    configured: bool = False
    held: bool = False
    present: bool = False  # not even half of it, nor only its configuration


@dataclass(frozen=True, slots=True)
class Conffile:
    """A configuration file of a package; `digest` is the MD5 of what the package ships."""

    path: str
    digest: str
    obsolete: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What is written in a .deb file."""

    name: str
    version: str
    architecture: str


def status(deb: str) -> Status:
    """Return how the package is on this host."""
    form = "--showformat=${Version}\\t${db:Status-Want}\\t${db:Status-Status}\\t${db:Status-Eflag}"
    answer = ask("/usr/bin/dpkg-query", "--show", form, "--", deb)
    if answer.code:
        return Status()
    version, want, state, flag = answer.stdout.split("\t")
    present = state not in {"not-installed", "config-files"}
    return Status(
        version if present else "",
        configured=state == "installed" and flag == "ok",
        held=want == "hold",
        present=present,
    )


def conffiles(deb: str) -> tuple[Conffile, ...]:
    """Return the package's configuration files."""
    answer = ask("/usr/bin/dpkg-query", "--show", "--showformat=${Conffiles}", "--", deb)
    return parse_conffiles(answer.stdout) if not answer.code else ()


def parse_conffiles(text: str) -> tuple[Conffile, ...]:
    """Return the configuration files in dpkg's list: path, digest, and what else there is."""
    found = []
    for line in text.splitlines():
        row = re.fullmatch(r" ?(/.*) ([0-9a-f]{32}|newconffile)((?: [a-z-]+)*)", line)
        if row:
            found.append(Conffile(row[1], row[2], obsolete="obsolete" in row[3].split()))
    return tuple(found)


def audit() -> tuple[str, ...]:
    """Return what `dpkg --audit` says, line by line; nothing when all is well."""
    answer = ask(DPKG, "--audit")
    return tuple(line for line in (answer.stdout + answer.stderr).splitlines() if line.strip())


def was_interrupted() -> bool:
    """Return whether a dpkg was killed: apt refuses all until the next one has tidied up."""
    with contextlib.suppress(OSError):
        return any(name.isdigit() for name in os.listdir("/var/lib/dpkg/updates"))  # noqa: PTH208
    return False


def read_deb(path: Path) -> Built:
    """Return what the .deb file says of itself, or raise `InvalidError`."""
    form = "--showformat=${Package}\\n${Version}\\n${Architecture}\\n"
    answer = ask("/usr/bin/dpkg-deb", "--show", form, "--", str(path))
    rows = answer.stdout.splitlines()
    if answer.code or len(rows) != len(Built.__slots__):
        said = answer.stderr.strip().rpartition("\n")[2]
        raise InvalidError(f"cannot read {path}: it is no Debian package: {said[:200]}")
    return Built(*rows)


def is_older(one: str, other: str) -> bool:
    """Return whether the first version is the older one, as dpkg orders them."""
    return ask(DPKG, "--compare-versions", one, "lt", other).code == 0


@contextlib.contextmanager
def frontend_lock(limit: float = LOCK_LIMIT) -> Iterator[None]:
    """Hold the lock that apt and others respect, or raise `BackendError` after the limit.

    dpkg itself fails at once when another has it. Within, dpkg is run by `run`.
    """
    descriptor = os.open(
        FRONTEND_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
    )
    deadline = time.monotonic() + limit
    try:
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise BackendError(
                        f"cannot change packages: another program has had dpkg for {limit:g} s "
                        "(apt, unattended-upgrades?): try again when it has ended"
                    ) from error
                time.sleep(LOCK_DELAY)
        yield
    finally:
        os.close(descriptor)


def run(*argv: str, log: Log, report: Report, limit: float = RUN_LIMIT) -> int:
    """Run dpkg, with the frontend's lock held by the caller, and return its exit code."""
    steps = _Steps(report)
    child = Child((DPKG, *KEEP_CONFFILES, *argv), log, LOCKED)
    return child.run(limit, steps.take, "--status-fd={}")


def set_hold(deb: str, *, hold: bool) -> None:
    """Hold the package, so that apt leaves it as it is, or let it go; as apt-mark does.

    The caller has the frontend's lock: no upgrade comes between a rollback and its hold.
    """
    wanted = f"{deb} {'hold' if hold else 'install'}\n"
    answer = ask(DPKG, "--set-selections", given=wanted, extra=LOCKED)
    if answer.code:
        raise BackendError(f"cannot hold {deb}: {answer.stderr.strip()[:200]}")


class _Steps:
    """Reads dpkg's status lines: `processing: install: deb`, `status: deb: unpacked`."""

    WORDS: Final[Sequence[str]] = ("half-installed", "unpacked", "half-configured", "installed")

    def __init__(self, report: Report) -> None:
        self._report = report

    def take(self, line: str) -> None:
        kind, _, rest = line.partition(": ")
        state = rest.rpartition(": ")[2]
        if kind == "status" and state in self.WORDS:
            done = self.WORDS.index(state) + 1
            self._report("configure" if done > 2 else "unpack", done, len(self.WORDS))  # noqa: PLR2004
