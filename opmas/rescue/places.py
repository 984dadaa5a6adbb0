"""Where the manager, its rescue and its guard find what they leave for each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGER: Final = "opmas-manager.service"
RESCUE: Final = "opmas-rescue.service"
GUARD: Final = "opmas-guard.service"
LAST_GOOD: Final = "last-good.json"  # in the state directory
RESCUE_FILE: Final = "rescue.json"  # beside the control socket
GUARD_FOLDER: Final = "guard"  # in the state directory
RESULT_FILE: Final = "result.json"  # in the guard's folder
DROP_IN: Final = "50-opmas.conf"


class Places(NamedTuple):
    """The directories, which the environment may set as it does for the manager."""

    state: Path
    runtime: Path
    units: Path
    config: Path

    @property
    def last_good(self) -> Path:
        """The agents that did well when they were last seen."""
        return self.state / LAST_GOOD

    @property
    def report(self) -> Path:
        """What the rescue does."""
        return self.runtime / RESCUE_FILE

    @property
    def socket(self) -> Path:
        """The manager's control socket."""
        return self.runtime / "manager.sock"

    @property
    def guard(self) -> Path:
        """What the guard of an upgrade keeps."""
        return self.state / GUARD_FOLDER

    def drop_in(self, unit: str) -> Path:
        """Return the drop-in that the manager wrote for the unit."""
        return self.units / f"{unit}.d" / DROP_IN


def find_places(environ: Mapping[str, str]) -> Places:
    """Return the directories; opmas.yaml is not read, it may be what is wrong."""
    socket = Path(environ.get("OPMAS_MANAGER_SOCKET", "/run/opmas/manager.sock"))
    return Places(
        state=Path(environ.get("OPMAS_MANAGER_STATE_DIR", "/var/lib/opmas")),
        runtime=socket.parent,
        units=Path(environ.get("OPMAS_MANAGER_UNIT_DIR", "/etc/systemd/system")),
        config=Path("/etc/opmas"),
    )
