"""prometheus-node-exporter: which collectors it has, and how it is called."""

from __future__ import annotations

import difflib
import re
import subprocess
from typing import TYPE_CHECKING, Final

from .settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection

HELP_TIMEOUT: Final = 10.0  # seconds; it takes 0.02
# A collector is switched by a flag of one part, in 1.5 as --collector.cpu, in 1.9 as
# --[no-]collector.cpu; flags like --collector.cpu.info are options of it.
_COLLECTOR_FLAG: Final = re.compile(
    r"^ +--(?:\[no-\])?collector\.([a-z0-9_]+)(?: |$)", re.MULTILINE
)


def collectors_of(program: str) -> frozenset[str]:
    """Return the names of the collectors that the program has; OSError when it cannot be asked."""
    try:
        done = subprocess.run(
            [program, "--help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HELP_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{program} --help did not end within {HELP_TIMEOUT:g} s") from error
    return frozenset(_COLLECTOR_FLAG.findall(done.stdout))


def check_collectors(settings: Settings, known: Collection[str]) -> None:
    """Raise `SettingsError` when one is named that the program does not have.

    The program itself would end with exit code 1 and be started again. One that is to be off, and
    is not there, is off.
    """
    unknown = [name for name in settings.enable if name not in known]
    if unknown:
        raise SettingsError([f"collectors.enable: {_unknown(name, known)}" for name in unknown])


def arguments(settings: Settings, known: Collection[str]) -> list[str]:
    """Return the program's arguments; each is one word, and no shell sees them.

    What is switched on is on, also when it is among those that are off by default.
    """
    off = [name for name in settings.disable if name in known and name not in settings.enable]
    return [
        "--web.systemd-socket",
        "--log.level=warn",  # else each start lists all collectors
        f"--collector.textfile.directory={settings.textfile_directory}",
        *(f"--collector.{name}" for name in settings.enable),
        *(f"--no-collector.{name}" for name in off),
    ]


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"this prometheus-node-exporter has no collector {name}" + (
        f"; did you mean {near[0]}?" if near else ""
    )
