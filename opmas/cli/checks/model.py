"""What a check is given and what it gives."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.core.documents.settings import Settings

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
PATIENCE: Final = 10.0  # seconds that a program of the host may take
NOT_FOUND: Final = 127  # as the shell has it


class Check(NamedTuple):
    """What was found, and how to mend it when it is not well."""

    name: str
    status: str
    found: str
    mend: str = ""


class Output(NamedTuple):
    """What a program of the host answered."""

    code: int
    text: str
    error: str

    @property
    def reason(self) -> str:
        """What is wrong, in one line."""
        return self.error.split("\n")[0] or f"it ended with status {self.code}"


Run = Callable[[Sequence[str]], Output]


def run_program(argv: Sequence[str]) -> Output:
    """Return what the program answers; one that is absent or hangs answers `NOT_FOUND`."""
    try:
        done = subprocess.run(
            list(argv), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return Output(NOT_FOUND, "", f"{argv[0]} did not answer within {PATIENCE:g} s")
    except OSError as error:
        return Output(NOT_FOUND, "", f"{argv[0]}: {(error.strerror or str(error)).lower()}")
    return Output(done.returncode, done.stdout.strip(), done.stderr.strip())


class Host(NamedTuple):
    """The host that is looked at: its programs, its files below `root`, its settings."""

    run: Run
    root: Path
    settings: Settings
    config_dir: Path
    socket: str
    owner: int  # the user ID that OPMAS's files belong to: root's
    is_root: bool
    patience: float = 3.0  # seconds that the manager may take

    def path(self, absolute: str) -> Path:
        """Return where the host's file is."""
        return self.root / absolute.lstrip("/")
