"""Lab hosts for tests: throw-away Debian machines with a real systemd, made by `packaging/lab`.

A host's name gets a part that is this process's own, so that parallel runs do not collide; for an
address of its own ask for "auto". Needs root.
"""

import json
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

LAB = Path(__file__).resolve().parents[2] / "packaging" / "lab"
RUN = secrets.token_hex(3)
BOOT_TIMEOUT = 900.0  # the first boot on a machine makes the image
POLL_DELAY = 0.05

T = TypeVar("T")


class CommandError(Exception):
    """A command did not end as it should; says which, how it ended, and all that it wrote."""

    def __init__(self, argv: tuple[str, ...], ending: str, stdout: str, stderr: str) -> None:
        super().__init__(f"{' '.join(argv)}: {ending}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
        self.stdout = stdout
        self.stderr = stderr


class Host:
    """A running lab host; as a context manager, removed at the end."""

    def __init__(self, name: str, address: str | None) -> None:
        self.name = name
        self.address = address
        self._is_gone = False

    @classmethod
    def up(cls, name: str, address: str | None = None, suite: str | None = None) -> Self:
        """Make a host and boot it; `address` is of the lab network, "auto" any free one of it."""
        host = cls(f"{name}-{RUN}", None)
        release = ["--suite", suite] if suite else []
        try:
            _checked(
                "up", *release, host.name, *([address] if address else []), timeout=BOOT_TIMEOUT
            )
        except CommandError:
            call_lab("down", host.name)
            raise
        if address:
            host.address = host.describe()["address"]
        return host

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()

    def run(
        self,
        *argv: str,
        check: bool = True,
        input: str | None = None,  # noqa: A002  # as subprocess.run has it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the host as root; CommandError when it fails or takes too long."""
        done = call_lab("exec", self.name, "--", *argv, input=input, timeout=timeout)
        if check and done.returncode != 0:
            raise CommandError(argv, f"exit code {done.returncode}", done.stdout, done.stderr)
        return done

    def popen(self, *argv: str) -> subprocess.Popen[str]:
        """Start a command in the host, with pipes; it is killed there when it is killed here."""
        return subprocess.Popen(
            [LAB, "exec", self.name, "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def copy_in(self, path: Path, to: str) -> None:
        """Put a file, with its mode, or the content of a directory at `to` in the host."""
        # Not through `root`: an absolute link on the way would lead out to the machine.
        if path.is_dir():
            pack = ["tar", "-C", str(path), "-c", "."]
            unpack = 'mkdir -p "$1" && tar -C "$1" -x --no-same-owner'
        else:
            pack = ["cat", str(path)]
            unpack = f'install -D -m {path.stat().st_mode & 0o777:o} /dev/stdin "$1"'
        argv = [str(LAB), "exec", self.name, "--", "sh", "-c", unpack, "sh", to]
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            done = subprocess.run(
                argv, stdin=packing.stdout, capture_output=True, text=True, check=False
            )
        if done.returncode or packing.returncode:
            ending = f"exit code {done.returncode}, after {packing.returncode}"
            raise CommandError((*pack, "|", *argv), ending, done.stdout, done.stderr)

    @property
    def root(self) -> Path:
        """Where the host's files are, from outside; another path after each boot."""
        return Path(_checked("root", self.name).stdout.rstrip("\n"))

    def describe(self) -> dict[str, Any]:
        """What `lab list` says of the host."""
        return next(host for host in list_hosts() if host["name"] == self.name)

    def kill(self) -> None:
        """Cut the power."""
        _checked("kill", self.name)

    def boot(self) -> None:
        """Boot it again, on the same disk."""
        _checked("boot", self.name, timeout=BOOT_TIMEOUT)

    def down(self) -> None:
        """Remove it and its disk; once is enough."""
        if not self._is_gone:
            _checked("down", self.name)
            self._is_gone = True


def wait_for(
    condition: Callable[[], T | None], timeout: float, what: str, delay: float = POLL_DELAY
) -> T:
    """Poll until `condition` gives something other than None or False, and return that."""
    deadline = time.monotonic() + timeout
    while (result := condition()) is None or result is False:
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(delay)
    return result


def list_hosts() -> list[dict[str, Any]]:
    """All hosts of the machine's lab, also those of other processes."""
    hosts: list[dict[str, Any]] = json.loads(_checked("list", "--json").stdout)
    return hosts


def call_lab(
    *argv: str,
    input: str | None = None,  # noqa: A002  # as subprocess.run has it
    timeout: float = 60,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `packaging/lab` itself and return how it ended; CommandError when it takes too long."""
    try:
        return subprocess.run(
            [LAB, *argv],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        stdout, stderr = (_text(output) for output in (error.stdout, error.stderr))
        raise CommandError(argv, f"still running after {timeout:g} s", stdout, stderr) from error


def _checked(*argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    done = call_lab(*argv, timeout=timeout)
    if done.returncode != 0:
        raise CommandError(
            ("lab", *argv), f"exit code {done.returncode}", done.stdout, done.stderr
        )
    return done


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
