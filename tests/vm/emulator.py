"""One run of the emulator: from the moment its power comes on until it goes."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.vm.line import Line

if TYPE_CHECKING:
    from pathlib import Path

# Never /dev/kvm, also where it exists: a guest may hang in it on a machine that is itself a guest.
MACHINE: Final = (
    "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
    "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-rtc", "base=utc",
    "-device", "virtio-rng-pci", "-device", "virtio-serial",
)  # fmt: skip
# The guest's work is checked, not its defence: without it, it emulates faster. And what looks for
# snapshots of LVM takes seconds.
KERNEL: Final = (
    "root=/dev/vda ro console=ttyS0 panic=-1 mitigations=off systemd.mask=e2scrub_reap.service"
)
ANSWERED: Final = 60.0  # seconds
LOOK: Final = 0.02


@dataclass(frozen=True)
class Image:
    """What a machine boots from."""

    kernel: Path
    initrd: Path
    disk: Path


class Emulator:
    """A running QEMU with a disk, a console in a file, and the line to the agent inside.

    The disk has a write cache, as real ones do: what the guest flushed is there after a power cut,
    what it did not flush may be lost.
    """

    def __init__(
        self, image: Image, disk: Path, console: Path, memory: Path | None = None
    ) -> None:
        ours, theirs = socket.socketpair()
        control, controlled = socket.socketpair()
        self.process = subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *MACHINE,
                "-kernel", image.kernel, "-initrd", image.initrd, "-append", KERNEL,
                "-drive", f"file={disk},if=virtio,format=qcow2,cache=writeback,discard=unmap",
                "-chardev", f"file,id=console,path={console},append=on",
                "-serial", "chardev:console",
                "-chardev", f"socket,id=line,fd={theirs.fileno()}",
                "-device", "virtserialport,chardev=line,name=opmas.vm",
                "-chardev", f"socket,id=control,fd={controlled.fileno()}",
                "-mon", "chardev=control,mode=control",
                *(("-incoming", f"exec:cat {memory}") if memory else ()),
            ],
            pass_fds=[theirs.fileno(), controlled.fileno()],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        controlled.close()
        self.line = Line(ours)
        control.settimeout(ANSWERED)
        self._control = control.makefile("rw")
        control.close()
        self._control.readline()  # its greeting
        self.order("qmp_capabilities")
        if memory:
            self._wait_migrated()
            self.order("cont")

    def cut(self) -> None:
        """Cut the power, at this very moment."""
        self.process.kill()

    def ended(self) -> None:
        """Wait until nothing is left of it."""
        self.process.wait(ANSWERED)
        self.line.close()
        self._control.close()

    def freeze(self, memory: Path) -> None:
        """Stop the guest and write its memory to the file; its disk is complete from now on."""
        self.order("stop")
        self.order("migrate-set-parameters", **{"max-bandwidth": 1 << 33})
        self.order("migrate", uri=f"exec:cat > {memory}")
        self._wait_migrated()

    def order(self, command: str, **arguments: Any) -> Any:
        """Give the emulator itself an order, and return its answer."""
        self._control.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._control.flush()
        while True:
            news = json.loads(self._control.readline())
            if "error" in news:
                raise RuntimeError(f"cannot {command}: {news['error']['desc']}")
            if "return" in news:
                return news["return"]

    def _wait_migrated(self) -> None:
        deadline = time.monotonic() + ANSWERED
        while (status := self.order("query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                raise RuntimeError(f"the guest's memory cannot be carried over: {status}")
            time.sleep(LOOK)
