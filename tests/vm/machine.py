"""Virtual machines for tests: a real Debian 12 with a kernel, a disk and a power switch.

A machine begins from an image, or from a snapshot of one that ran: with its memory, so that a test
does not wait for a boot. Each has a disk of its own on top of that, which goes with it.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.lab import CommandError
from tests.vm.emulator import Emulator, Image
from tests.vm.line import ANSWERED, PowerLostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAKE_IMAGE: Final = Path(__file__).with_name("image")
IMAGE_TIMEOUT: Final = 900.0  # seconds; a slow mirror
# Ten times what it takes alone on two cores: other tests may run.
BOOTED: Final = 200.0
TOLD: Final = 20.0
WATCHING: Final = "watching"
TAIL: Final = 60  # lines of the console that are shown after a failure


@dataclass(frozen=True)
class Snapshot:
    """A machine at one moment: its disk and its memory."""

    image: Image
    disk: Path
    memory: Path


def make_image() -> Image:
    """Return the image of a stock Debian 12, made when it is not there."""
    done = subprocess.run(
        [MAKE_IMAGE], stdout=subprocess.PIPE, text=True, timeout=IMAGE_TIMEOUT, check=True
    )
    folder = Path(done.stdout.rstrip("\n"))
    return Image(folder / "vmlinuz", folder / "initrd", folder / "root.img")


class Machine:
    """A virtual machine; as a context manager, off and gone at the end."""

    def __init__(self, folder: Path, origin: Image | Snapshot) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.image = origin.image if isinstance(origin, Snapshot) else origin
        self._disk = folder / "disk.qcow2"
        self._console = folder / "console.log"
        self._emulator: Emulator | None = None
        self.boot_id = ""
        self.state = ""  # what systemd said of the last boot: running, or degraded
        _overlay(origin.disk, "qcow2" if isinstance(origin, Snapshot) else "raw", self._disk)
        if isinstance(origin, Snapshot):
            self._emulator = Emulator(self.image, self._disk, self._console, origin.memory)
        else:
            self.power_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.power_cut()
        self._disk.unlink(missing_ok=True)

    def power_on(self) -> None:
        """Boot it, on its disk, until nothing is left to be started."""
        self._emulator = Emulator(self.image, self._disk, self._console)
        self._wait_booted(1)

    def power_cut(self) -> None:
        """Kill the emulator: nothing is written any more."""
        if self._emulator is not None:
            self._emulator.cut()
            self._emulator.ended()
            self._emulator = None

    def power_cut_at(self, step: str, watch: tuple[str, ...], *act: str) -> list[str]:
        """Do something, and cut the power as soon as what watches it in the guest tells that step.

        The watch says `watching` when it does, then each step. Returns the steps until the cut.
        """
        line, told = self.emulator.line, Told(step, self.emulator.cut)
        line.ask(*watch, timeout=BOOTED, follow=told.take)
        told.wait_watching()
        acting = line.ask(*act, timeout=BOOTED)
        with contextlib.suppress(PowerLostError):
            done = acting.result(BOOTED)
            told.wait_cut(f"{step} never came, but {told.steps}; it ended with {done}")
        self.power_cut()
        return told.steps

    def reboot(self) -> None:
        """Have it reboot in order."""
        count = self.emulator.line.greetings
        self.run("systemctl", "reboot", "--no-block")
        self._wait_booted(count + 1)

    def freeze(self, name: str) -> Snapshot:
        """Keep this moment, which ends the machine; others can begin from it."""
        disk, memory = self.folder / f"{name}.qcow2", self.folder / f"{name}.memory"
        self.emulator.freeze(memory)
        self.power_cut()
        self._disk.rename(disk)
        return Snapshot(self.image, disk, memory)

    @property
    def emulator(self) -> Emulator:
        assert self._emulator is not None, "the machine is off"
        return self._emulator

    def console(self) -> str:
        """Return the end of what the console showed."""
        lines = self._console.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL:])

    def run(
        self,
        *argv: str,
        check: bool = True,
        input: str | bytes = "",  # noqa: A002  # as subprocess.run has it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest as root; CommandError when it fails or takes too long."""
        given = input.encode() if isinstance(input, str) else input
        done = self.emulator.line.run(*argv, input=given, timeout=timeout)
        if check and done.returncode != 0:
            raise CommandError(argv, f"exit code {done.returncode}", done.stdout, done.stderr)
        return done

    def run_all(self, *commands: tuple[str, ...], timeout: float = 60) -> list[str]:
        """Run commands at the same time, and return all that each said."""
        asked = [self.emulator.line.ask(*argv, timeout=timeout) for argv in commands]
        found = [each.result(timeout + ANSWERED) for each in asked]
        return [(each["out"] + each["err"]).strip() for each in found]

    def copy_in(self, path: Path, to: str) -> None:
        """Put a file, with its mode, or the content of a directory at `to` in the guest."""
        packed = _pack(path)
        unpack = (
            'mkdir -p "$1" && tar -C "$1" -x --no-same-owner'
            if path.is_dir()
            else 'mkdir -p "$(dirname "$1")" && tar -x -O > "$1" && chmod "$2" "$1"'
        )
        mode = f"{path.stat().st_mode & 0o777:o}"
        self.run("sh", "-c", unpack, "sh", to, mode, input=packed)

    def _wait_booted(self, greetings: int) -> None:
        line = self.emulator.line
        self.boot_id = line.wait_greeting(greetings, BOOTED)
        self.state = line.run(
            "systemctl", "is-system-running", "--wait", timeout=BOOTED
        ).stdout.strip()


class Told:
    """What a watch in the guest told; cuts the power at one step."""

    def __init__(self, step: str, cut: Callable[[], None]) -> None:
        self.steps: list[str] = []
        self._step = step
        self._cut = cut
        self._is_watching = threading.Event()
        self._is_cut = threading.Event()

    def take(self, word: str) -> None:
        if self._is_cut.is_set():
            return
        if word == self._step:
            self._cut()
            self._is_cut.set()
        if word == WATCHING:
            self._is_watching.set()
        else:
            self.steps.append(word)

    def wait_watching(self) -> None:
        assert self._is_watching.wait(TOLD), "the watch in the guest does not begin"

    def wait_cut(self, otherwise: str) -> None:
        assert self._is_cut.wait(TOLD), otherwise


def _overlay(backing: Path, kind: str, new: Path) -> None:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", kind, new], check=True
    )


def _pack(path: Path) -> bytes:
    folder, name = (path, ".") if path.is_dir() else (path.parent, path.name)
    done = subprocess.run(["tar", "-C", folder, "-c", name], stdout=subprocess.PIPE, check=True)
    return done.stdout
