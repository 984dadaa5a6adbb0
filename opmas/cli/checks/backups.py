"""The backups of the manager's database: how old the newest is, and whether it is sound."""

from __future__ import annotations

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
    if not found and not _has_agents(host):
        return Check("backups", OK, "none yet: there is no agent that it would be of")
    if not found:
        return Check("backups", WARNING, f"there is none in {absolute}", MEND)
    return _judge(host, folder / f"{found[-1]:{FORM}}", found)


def _has_agents(host: Host) -> bool:
    try:
        return any(host.path(f"{host.settings.manager.state_dir}/agents").iterdir())
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
