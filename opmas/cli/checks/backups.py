"""The backups of the manager's database: how old the newest is, and whether it is sound."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from opmas.cli.checks.model import FAILED, OK, WARNING, Check
from opmas.cli.text import plural, size
from opmas.errors import StoreError
from opmas.store.check import find_damage

if TYPE_CHECKING:
    from pathlib import Path

    from opmas.cli.checks.model import Host

FORM: Final = "manager-%Y%m%dT%H%M%SZ.db"
FIRST: Final = 600.0  # seconds after which agents that nobody changed have a backup
LATE: Final = 2  # intervals; one may be missed while the host is off
MEND: Final = (
    "journalctl -u opmas-manager says why there is no newer one; make room, or restart it"
)


def check_backups(host: Host) -> Check:
    """Check the newest backup."""
    absolute = f"{host.settings.manager.state_dir}/backups"
    folder = host.path(absolute)
    try:
        found = sorted(at for path in folder.iterdir() if (at := _made_at(path)) is not None)
    except FileNotFoundError:
        found = []
    except PermissionError:
        return Check(
            "backups", WARNING, f"{absolute} cannot be read", "run `opmas doctor` as root"
        )
    if not found and not _is_due(host):
        return Check("backups", OK, "none yet: the first is made soon after the first agent")
    if not found:
        return Check("backups", WARNING, f"there is none in {absolute}", MEND)
    return _judge(host, folder / f"{found[-1]:{FORM}}", found)


def _is_due(host: Host) -> bool:
    """Return whether there have been agents for so long that there should be a backup."""
    begun = time.time() - FIRST
    try:
        agents = host.path(f"{host.settings.manager.state_dir}/agents").iterdir()
        return any(path.stat().st_mtime < begun for path in agents)
    except OSError:
        return False


def _judge(host: Host, newest: Path, found: list[datetime]) -> Check:
    try:
        damage = find_damage(newest, thorough=True)
    except StoreError as error:
        damage = [error.message]
    if damage:
        mend = f"systemctl restart opmas-manager after: rm {newest}"
        return Check("backups", FAILED, f"{newest} is damaged: {damage[0]}", mend)
    hours = (datetime.now(UTC) - found[-1]).total_seconds() / 3600
    text = f"{plural(len(found), 'backup')}, the newest of {hours:.0f} hours ago is sound"
    text += f", {size(newest.stat().st_size)}"
    if hours * 3600 > LATE * host.settings.database.backup_interval:
        return Check("backups", WARNING, text, MEND)
    return Check("backups", OK, text)


def _made_at(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.name, FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
