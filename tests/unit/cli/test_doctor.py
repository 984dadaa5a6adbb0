import os
import socket
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opmas.cli.checks import backups, files, manager, systemd
from opmas.cli.checks.model import Check, Host, Output, run_program
from opmas.cli.doctor import make_document, render_checks
from opmas.core.documents.settings import Settings
from opmas.store.database import Database
from tests.unit.cli.builders import view

GONE = Output(127, "", "no such program")
MANAGER = "Id=opmas-manager.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled"
ABSENT_API = (
    "Id=opmas-api.socket\nLoadState=not-found\n\nId=opmas-api.service\nLoadState=not-found"
)


class Programs:
    """Programs of a host, as answers to the first words of their commands."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", " "): answer for name, answer in answers.items()}

    def __call__(self, argv):
        words = " ".join(argv)
        found = (answer for name, answer in self.answers.items() if words.startswith(name))
        return next(found, GONE)


def host(root, **answers):
    return Host(
        run=Programs(**answers),
        root=root,
        settings=Settings(),
        config_dir=Path("/etc/opmas"),
        socket=str(root / "run/opmas/manager.sock"),
        owner=os.getuid(),
        is_root=True,
    )


def written(root, path, text=""):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("systemd 252 (252.39-1~deb12u2)\n+PAM", "ok"),
        ("systemd 257 (257.13-1)", "ok"),
        ("systemd 247 (247.3-7)", "failed"),
        ("", "failed"),
    ],
)
def test_systemd_must_be_recent_enough(tmp_path, text, status):
    (tmp_path / "run/systemd/system").mkdir(parents=True)

    check = systemd.check_systemd(host(tmp_path, systemctl=Output(0, text, "")))

    assert check.status == status


def test_another_pid_1_is_named(tmp_path):
    written(tmp_path, "proc/1/comm", "tini\n")

    check = systemd.check_systemd(host(tmp_path))

    assert (check.status, check.found) == ("failed", "PID 1 is not systemd but tini")


@pytest.mark.parametrize(
    ("controllers", "status"), [("cpuset cpu io memory pids", "ok"), ("cpu pids", "failed")]
)
def test_the_controllers_that_limits_need_must_be_there(tmp_path, controllers, status):
    written(tmp_path, "sys/fs/cgroup/cgroup.controllers", controllers)

    assert systemd.check_cgroups(host(tmp_path)).status == status


def test_control_groups_version_1_are_a_warning(tmp_path):
    for name in ("cpu", "memory", "pids"):
        (tmp_path / "sys/fs/cgroup" / name).mkdir(parents=True)

    assert systemd.check_cgroups(host(tmp_path)).status == "warning"


def test_no_control_groups_at_all_fail(tmp_path):
    assert systemd.check_cgroups(host(tmp_path)).status == "failed"


@pytest.mark.parametrize(
    ("private", "bus", "status"),
    [
        (True, True, "ok"),
        (True, False, "warning"),
        (False, True, "warning"),
        (False, False, "failed"),
    ],
)
def test_one_way_to_systemd_is_enough(tmp_path, private, bus, status):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        (tmp_path / "run/dbus").mkdir(parents=True)
        (tmp_path / "run/systemd").mkdir(parents=True)
        (tmp_path / ("run/systemd/private" if private else "x")).touch()
        (tmp_path / ("run/dbus/system_bus_socket" if bus else "y")).symlink_to(tmp_path / "bus")

        check = systemd.check_dbus(host(tmp_path))

    assert check.status == status


@pytest.mark.parametrize(
    ("changed", "status", "mend"),
    [
        (("", ""), "ok", ""),
        (("LoadState=loaded", "LoadState=not-found"), "failed", "apt install opmas-manager"),
        (("LoadState=loaded", "LoadState=masked"), "failed", "systemctl unmask"),
        (("ActiveState=active", "ActiveState=failed"), "failed", "systemctl restart"),
        (("UnitFileState=enabled", "UnitFileState=disabled"), "warning", "systemctl enable"),
        (("Id=", "NeedDaemonReload=yes\nId="), "warning", "systemctl daemon-reload"),
    ],
)
def test_the_managers_unit_must_run_and_be_started_at_boot(tmp_path, changed, status, mend):
    shown = f"{MANAGER.replace(*changed)}\n\n{ABSENT_API}"
    answers = {"systemctl_show": Output(0, shown, ""), "systemctl_cat": Output(0, "x", "")}

    checks = systemd.check_units(host(tmp_path, **answers))

    assert [check.name for check in checks] == ["unit of the manager", "unit of the agents"]
    assert checks[0].status == status
    assert mend in checks[0].mend


@pytest.mark.parametrize(
    ("socket_state", "service_state", "status"),
    [
        ("active", "inactive", "ok"),
        ("inactive", "inactive", "warning"),
        ("active", "failed", "failed"),
    ],
)
def test_an_installed_api_must_listen(tmp_path, socket_state, service_state, status):
    api = (
        f"Id=opmas-api.socket\nLoadState=loaded\nActiveState={socket_state}\n\n"
        f"Id=opmas-api.service\nLoadState=loaded\nActiveState={service_state}"
    )
    answers = {"systemctl_show": Output(0, f"{MANAGER}\n\n{api}", "")}

    checks = systemd.check_units(host(tmp_path, **answers))

    assert checks[1].status == status
    assert checks[2] == Check(
        "unit of the agents",
        "failed",
        "opmas-agent@.service is not there",
        "apt install --reinstall opmas-manager",
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Output(0, "a line", ""), "ok"),
        (Output(0, "", ""), "warning"),
        (Output(0, "", "No journal files were found."), "failed"),
        (GONE, "failed"),
    ],
)
def test_the_journal_must_be_readable(tmp_path, answer, status):
    assert systemd.check_journal(host(tmp_path, journalctl=answer)).status == status


def test_directories_of_root_are_well(tmp_path):
    for path, mode in (
        ("var/lib/opmas", 0o700),
        ("etc/opmas", 0o755),
        ("usr/lib/opmas/agents", 0o755),
    ):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path).chmod(mode)

    checks = files.check_directories(host(tmp_path))

    assert [check.status for check in checks] == ["ok", "ok", "warning", "ok"]
    assert checks[2].found.endswith("does not exist")


def test_a_directory_that_others_reach_fails_with_its_chmod(tmp_path):
    (tmp_path / "var/lib/opmas").mkdir(parents=True)
    (tmp_path / "var/lib/opmas").chmod(0o755)

    check = files.check_directories(host(tmp_path))[0]

    assert check.status == "failed"
    assert check.mend == "chmod 0700 /var/lib/opmas"


def test_a_directory_of_another_user_fails(tmp_path):
    (tmp_path / "var/lib/opmas").mkdir(parents=True, mode=0o700)

    check = files.check_directories(host(tmp_path)._replace(owner=4711))[0]

    assert check.status == "failed"
    assert "not to root" in check.found


@pytest.mark.parametrize(
    ("space", "status"),
    [
        (files.Space(50 << 30, 100 << 30, 10**6, 10**7), "ok"),
        (files.Space(100 << 20, 100 << 30, 10**6, 10**7), "warning"),
        (files.Space(100 << 20, 200 << 20, 10**6, 10**7), "ok"),
        (files.Space(1 << 20, 100 << 30, 10**6, 10**7), "failed"),
        (files.Space(50 << 30, 100 << 30, 10, 10**7), "warning"),
        (files.Space(50 << 30, 100 << 30, 0, 10**7), "failed"),
        (files.Space(50 << 30, 100 << 30, 0, 0), "ok"),
    ],
)
def test_the_disk_must_have_room_for_bytes_and_inodes(space, status):
    assert files.judge_space("/var/lib/opmas", space).status == status


def test_the_disk_is_looked_at_before_the_state_directory_exists(tmp_path):
    assert files.check_disk(host(tmp_path)).found.endswith("inodes")


def test_a_sound_database_is_well(tmp_path):
    path = written(tmp_path, "var/lib/opmas/manager.db")
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()

    assert files.check_database(host(tmp_path)).status == "ok"


def test_a_damaged_database_fails_and_says_how_to_mend_it(tmp_path):
    written(tmp_path, "var/lib/opmas/manager.db", "this is no database, not at all" * 100)

    check = files.check_database(host(tmp_path))

    assert check.status == "failed"
    assert "not a database" in check.found
    assert "restore" in check.mend


def test_no_database_yet_is_a_warning(tmp_path):
    assert files.check_database(host(tmp_path)).status == "warning"


def test_the_agents_python_must_have_the_sdk(tmp_path):
    error = "Traceback\nModuleNotFoundError: No module named 'opmas'"
    answers = {"/usr/bin/env": Output(1, "", error)}

    check = files.check_python(host(tmp_path, **answers))

    assert "No module named 'opmas'" in check.found
    assert check.mend == "apt install python3-opmas-agent"


def test_a_manager_that_is_away_fails(tmp_path):
    [check] = manager.check_manager(host(tmp_path))

    assert check.status == "failed"
    assert "cannot reach the manager" in check.found


@pytest.mark.parametrize(("mode", "status"), [(0o666, "ok"), (0o600, "failed")])
def test_every_agent_must_reach_the_agent_socket(tmp_path, mode, status):
    (tmp_path / "run/opmas").mkdir(parents=True)
    path = tmp_path / "run/opmas/agent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(mode)

        check = manager.check_agent_socket(host(tmp_path))

    assert check.status == status


def test_a_socket_that_nobody_listens_at_fails(tmp_path):
    (tmp_path / "run/opmas").mkdir(parents=True)
    path = tmp_path / "run/opmas/agent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    path.chmod(0o666)

    assert "nobody listens" in manager.check_agent_socket(host(tmp_path)).found


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Output(0, "yes", ""), "ok"), (Output(0, "no", ""), "warning"), (GONE, "warning")],
)
def test_the_clock_should_be_synchronised(tmp_path, answer, status):
    assert manager.check_clock(host(tmp_path, timedatectl=answer)).status == status


def test_a_clock_behind_what_was_written_has_jumped(tmp_path):
    path = written(tmp_path, "var/lib/opmas/manager.db")
    os.utime(path, (4_000_000_000, 4_000_000_000))

    check = manager.check_clock(host(tmp_path, timedatectl=Output(0, "yes", "")))

    assert check.status == "failed"
    assert "written at 2096-10-02" in check.found


def test_the_group_must_exist(tmp_path):
    assert files.check_users(host(tmp_path)).status == "failed"
    assert files.check_users(host(tmp_path, getent=Output(0, "opmas:x:1:", ""))).status == "ok"


def test_a_program_that_is_absent_is_an_answer():
    assert run_program(["/no/such/program"]).code == 127


def test_the_worst_check_is_the_state_of_all():
    checks = [Check("a", "ok", "x"), Check("b", "warning", "y", "z")]

    assert make_document(checks)["state"] == "warning"
    assert make_document([*checks, Check("c", "failed", "y", "z")])["state"] == "failed"
    assert make_document(checks[:1])["state"] == "ok"


def test_what_is_not_well_comes_with_how_to_mend_it():
    checks = [Check("disk", "ok", "5G free"), Check("clock", "warning", "not set", "set it")]

    text = render_checks(make_document(checks), view())

    assert text.split("\n") == [
        "ok       disk   5G free",
        "warning  clock  not set",
        "                mend: set it",
        "",
        "2 checks: 0 failed, 1 warning",
    ]


def backed_up(root, at: datetime):
    """Return a backup of that time on the host."""
    folder = root / "var/lib/opmas/backups"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{at:{backups.FORM}}"
    Database(path).close()
    return path


@pytest.mark.parametrize(("hours", "status"), [(1, "ok"), (30, "ok"), (50, "warning")])
def test_the_newest_backup_may_not_be_old(tmp_path, hours, status):
    now = datetime.now(UTC)
    backed_up(tmp_path, now - timedelta(days=9))
    backed_up(tmp_path, now - timedelta(hours=hours))

    check = backups.check_backups(host(tmp_path))

    assert check.status == status
    assert f"2 backups, the newest of {hours} hours ago is sound" in check.found


def test_no_backup_is_well_as_long_as_there_is_no_agent(tmp_path):
    assert backups.check_backups(host(tmp_path)).status == "ok"


@pytest.mark.parametrize(("age", "status"), [(60, "ok"), (3600, "warning")])
def test_no_backup_of_agents_is_a_warning_after_a_while(tmp_path, age: int, status: str):
    agent = tmp_path / "var/lib/opmas/agents/web"
    agent.mkdir(parents=True)
    made_at = time.time() - age
    os.utime(agent, (made_at, made_at))

    assert backups.check_backups(host(tmp_path)).status == status


def test_a_damaged_backup_is_named(tmp_path):
    path = backed_up(tmp_path, datetime.now(UTC))
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)

    check = backups.check_backups(host(tmp_path))

    assert check.status == "failed"
    assert path.name in check.found
