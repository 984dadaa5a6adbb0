"""Whether the manager answers, agents can reach it, and its clock can be trusted."""

from __future__ import annotations

import socket
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.checks.model import FAILED, OK, WARNING, Check
from opmas.cli.moments import age
from opmas.cli.rescued import TRY_NOW, find_rescue
from opmas.client.control import ManagerClient
from opmas.errors import AccessDeniedError, OpmasError
from opmas.version import VERSION

if TYPE_CHECKING:
    from opmas.cli.checks.model import Host

ANYONE: Final = 0o666
JUMP: Final = 60.0  # seconds that the clock may seem to be behind


def check_manager(host: Host) -> list[Check]:
    """Check that the manager answers on its socket, and what it says of itself."""
    try:
        with ManagerClient(host.socket, host.patience) as client:
            status = client.call("host.status")
    except AccessDeniedError as error:
        mend = "run as root, or: adduser USER opmas"
        return [Check("manager", WARNING, error.message, mend)]
    except OpmasError as error:
        mend = "systemctl restart opmas-manager; journalctl -u opmas-manager -n 50"
        return [Check("manager", FAILED, error.message, mend)]
    return [_answer(status), *_problems(status)]


def _answer(status: dict[str, Any]) -> Check:
    version = status["version"]
    if version != VERSION:
        found = f"version {version} still runs, {VERSION} is installed"
        return Check("manager", WARNING, found, "systemctl restart opmas-manager")
    up = age(status["started_at"], datetime.now(UTC))
    return Check("manager", OK, f"answers, version {version}, up {up}")


def _problems(status: dict[str, Any]) -> list[Check]:
    return [
        Check(
            f"manager: {problem['code']}", FAILED, problem["message"], "see docs/how-to/recover.md"
        )
        for problem in status["problems"]
    ]


def check_rescue(host: Host) -> Check:
    """Check that the manager needs no rescue, and that none of its upgrades is being undone."""
    lines = find_rescue(str(host.path(host.settings.manager.socket)))
    if lines:
        return Check("rescue", FAILED, "; ".join(lines), f"mend what it names; then: {TRY_NOW}")
    return Check("rescue", OK, "the manager needs none")


def check_agent_socket(host: Host) -> Check:
    """Check that every agent, whatever its user, can reach the manager."""
    absolute = host.settings.manager.agent_socket
    path = host.path(absolute)
    mend = "systemctl restart opmas-manager"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Check("agent socket", FAILED, f"{absolute}: {reason}", mend)
    if not stat.S_ISSOCK(mode) or stat.S_IMODE(mode) & ANYONE != ANYONE:
        found = f"{absolute} has mode {stat.filemode(mode)}: agents cannot connect"
        return Check("agent socket", FAILED, found, mend)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(host.patience)
        try:
            connection.connect(str(path))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return Check("agent socket", FAILED, f"nobody listens at {absolute}: {reason}", mend)
    return Check("agent socket", OK, f"{absolute} is open to agents")


def check_clock(host: Host) -> Check:
    """Check that the clock is synchronised, and is not behind what was already written."""
    now = datetime.now(UTC)
    written = _last_written(host)
    if written is not None and (written - now).total_seconds() > JUMP:
        found = f"the clock is behind: the manager's database was written at {written:%F %T} UTC"
        mend = "set the clock: `timedatectl set-ntp true`; new events sort before old ones"
        return Check("clock", FAILED, found, mend)
    answer = host.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if answer.code != 0:
        found = f"cannot tell whether it is synchronised: {answer.reason}"
        return Check("clock", WARNING, found, "systemctl start dbus.socket systemd-timedated")
    if answer.text != "yes":
        mend = "`timedatectl set-ntp true`, or run chrony; a container takes its host's clock"
        return Check("clock", WARNING, "the clock is not synchronised", mend)
    return Check("clock", OK, "synchronised")


def _last_written(host: Host) -> datetime | None:
    folder = host.path(host.settings.manager.state_dir)
    times = []
    for name in ("manager.db", "manager.db-wal"):
        try:
            times.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(max(times), UTC) if times else None
