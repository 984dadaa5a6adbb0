"""What a lab host promises, tried on real ones."""

import glob
import os
import pty
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import LAB, CommandError, Host, call_lab, wait_for

pytestmark = pytest.mark.system

LAB_DIR = Path(os.environ.get("OPMAS_LAB_DIR", "/var/lib/opmas-lab"))
CGROUPS = Path("/sys/fs/cgroup")
BOOT_ID = "/proc/sys/kernel/random/boot_id"

SANDBOX = [
    "DynamicUser=yes",
    "StateDirectory=boxed",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "UMask=0077",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateUsers=yes",
    "PrivateNetwork=yes",
    "PrivateIPC=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallFilter=@system-service",
    "SystemCallArchitectures=native",
    "IPAddressDeny=any",
    "LoadCredential=secret:/etc/secret",
]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host.up("shared") as host:
        yield host


def run_service(
    host: Host, *argv: str, properties: list[str], unit: str = "tried"
) -> subprocess.CompletedProcess[str]:
    options = [word for line in properties for word in ("-p", line)]
    return host.run(
        "systemd-run",
        "-q",
        "--wait",
        "--pipe",
        "--collect",
        "-u",
        unit,
        *options,
        *argv,
        check=False,
    )


def traces_of(name: str) -> list[str]:
    """Everything on the machine that carries the name of a host: files, cgroups, links, PID 1."""
    arguments = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [
        *map(str, (LAB_DIR / "hosts").glob(f"*{name}*")),
        # not Path.rglob: groups of other hosts may go while it looks
        *glob.glob(f"{CGROUPS}/**/opmas-lab-{name}-*", recursive=True),  # noqa: PTH207
        *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line),
        *(
            path.parent.name
            for path in Path("/sys/class/net").glob("*/ifalias")
            if name in path.read_text()
        ),
        *(command.decode() for command in arguments if f"inner-start\0{name}" in command.decode()),
    ]


# A host is a Debian machine


def test_a_host_boots_a_real_systemd_without_a_failed_unit(host: Host) -> None:
    state = host.run("systemctl", "is-system-running")
    first_process = host.run("cat", "/proc/1/comm")

    assert state.stdout == "running\n"
    assert first_process.stdout == "systemd\n"


def test_a_host_without_an_address_has_no_network_but_lo(host: Host) -> None:
    links = host.run("ls", "/sys/class/net")

    assert links.stdout == "lo\n"


def test_a_host_has_a_name_a_machine_id_and_a_boot_id_of_its_own(host: Host) -> None:
    name = host.run("hostname").stdout.strip()
    machine_id = host.run("cat", "/etc/machine-id").stdout
    boot_id = host.run("cat", BOOT_ID).stdout

    assert name == host.name
    assert len(machine_id.strip()) == 32
    assert boot_id != Path(BOOT_ID).read_text()


def test_a_host_cannot_change_the_settings_of_the_machine(host: Host) -> None:
    written = host.run("sh", "-c", "echo 0 > /proc/sys/vm/overcommit_memory", check=False)
    set_clock = host.run("date", "-s", "2001-01-01", check=False)

    assert "Read-only file system" in written.stderr
    assert set_clock.returncode != 0


def test_a_service_runs_with_every_sandboxing_directive_that_opmas_uses(host: Host) -> None:
    host.run("sh", "-c", "echo hush > /etc/secret")
    script = 'touch "$STATE_DIRECTORY/x"; cat "$CREDENTIALS_DIRECTORY/secret"; ls /proc'

    done = run_service(host, "sh", "-c", script, properties=SANDBOX)

    assert (done.returncode, done.stderr) == (0, "")
    assert "hush" in done.stdout
    assert "uptime" not in done.stdout


def test_the_manager_sees_the_boot_id_of_its_host_in_a_proc_of_its_own_too(host: Host) -> None:
    done = run_service(
        host, "cat", BOOT_ID, properties=["ProtectProc=invisible"], unit="opmas-manager"
    )

    assert done.stdout == host.run("cat", BOOT_ID).stdout


def test_a_memory_limit_kills_the_service_that_exceeds_it(host: Host) -> None:
    greedy = ("python3", "-c", "len(bytearray(256 << 20)); print('alive')")

    limited = run_service(host, *greedy, properties=["MemoryMax=32M"])
    free = run_service(host, *greedy, properties=[])

    assert (limited.returncode != 0, limited.stdout) == (True, "")
    assert (free.returncode, free.stdout) == (0, "alive\n")


def test_a_task_limit_stops_a_service_from_forking(host: Host) -> None:
    forks = ("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait; echo forked")

    limited = run_service(host, *forks, properties=["TasksMax=4"])
    free = run_service(host, *forks, properties=[])

    assert "Cannot fork" in limited.stderr
    assert free.stdout == "forked\n"


def test_a_cpu_quota_holds_a_busy_service_back(host: Host) -> None:
    busy = (
        "import time; end = time.monotonic() + 2\n"
        "while time.monotonic() < end: pass\n"
        "print(time.process_time())"
    )

    limited = run_service(host, "python3", "-c", busy, properties=["CPUQuota=10%"])

    assert float(limited.stdout) < 1.0


# Running commands


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exec_ends_with_the_exit_code_of_its_command(host: Host, code: int) -> None:
    done = host.run("sh", "-c", f"exit {code}", check=False)

    assert done.returncode == code


def test_exec_passes_input_both_outputs_and_odd_arguments_through(host: Host) -> None:
    arguments = ["two words", "", "$HOME", "it's", "--", "new\nline"]

    done = host.run(
        "sh", "-c", 'cat; echo err >&2; printf "<%s>" "$@"', "sh", *arguments, input="in"
    )

    assert done.stdout == "in" + "".join(f"<{argument}>" for argument in arguments)
    assert done.stderr == "err\n"


def test_exec_starts_in_a_clean_environment(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "yes")

    names = {line.split("=")[0] for line in host.run("env").stdout.splitlines()}

    assert {"HOME", "PATH", "LANG", "TERM"} <= names
    assert "LEAKED" not in names


def test_exec_gives_a_command_a_terminal_of_the_host_when_it_has_one(host: Host) -> None:
    shown = bytearray()

    def read(descriptor: int) -> bytes:
        shown.extend(block := os.read(descriptor, 1024))
        return block

    status = pty.spawn([str(LAB), "exec", host.name, "--", "sh", "-c", "tty; exit 7"], read)

    assert b"/dev/pts/" in shown
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_command_does_not_outlive_the_exec_that_ran_it(host: Host) -> None:
    with host.popen("sleep", "4711") as sleeping:
        wait_for(
            lambda: not host.run("pgrep", "-f", "^sleep 4711", check=False).returncode, 10, "start"
        )

        sleeping.kill()

    wait_for(lambda: host.run("pgrep", "-f", "^sleep 4711", check=False).returncode, 10, "its end")


def test_a_failing_command_raises_with_all_that_it_wrote(host: Host) -> None:
    with pytest.raises(CommandError, match=r"(?s)ls /nowhere: exit code 2.*cannot access"):
        host.run("ls", "/nowhere")


def test_a_copied_file_keeps_its_mode_and_a_copied_folder_its_content(
    host: Host, tmp_path: Path
) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho ran\n")
    tool.chmod(0o755)

    host.copy_in(tool, "/opt/new/tool")
    host.copy_in(tmp_path, "/opt/folder")

    assert host.run("/opt/new/tool").stdout == "ran\n"
    assert host.run("/opt/folder/tool").stdout == "ran\n"
    assert (host.root / "opt/new/tool").read_text() == tool.read_text()


# Power


def test_a_power_cut_keeps_the_disk_and_the_journal_and_changes_the_boot_id() -> None:
    with Host.up("power") as host:
        host.run("sh", "-c", "echo kept > /etc/kept; echo lost > /run/lost; logger before-the-cut")
        host.run("journalctl", "--sync")
        boot_id, machine_id = host.run("cat", BOOT_ID, "/etc/machine-id").stdout.split()

        host.kill()
        off = host.describe()
        host.boot()

        assert (off["state"], off["pid"], off["booted_at"]) == ("off", None, None)
        assert host.run("cat", "/etc/kept").stdout == "kept\n"
        assert host.run("test", "-e", "/run/lost", check=False).returncode == 1
        assert host.run("cat", BOOT_ID, "/etc/machine-id").stdout.split()[1] == machine_id
        assert host.run("cat", BOOT_ID).stdout.strip() != boot_id
        assert "before-the-cut" in host.run("journalctl", "-b", "-1", "-t", "root").stdout
        assert boot_id.replace("-", "") in host.run("journalctl", "--list-boots").stdout
        assert float(host.run("cat", "/proc/uptime").stdout.split()[0]) < 600


def test_a_host_that_powers_itself_off_is_off_and_can_be_booted() -> None:
    with Host.up("self-off") as host:
        host.run("systemctl", "poweroff", check=False)
        wait_for(lambda: host.describe()["state"] == "off", 60, "the host to be off")

        host.boot()

        assert host.describe()["state"] == "running"


def test_down_leaves_nothing_behind() -> None:
    host = Host.up("gone", "auto")
    host.run("systemd-run", "--unit=busy", "sleep", "infinity")
    pid = host.describe()["pid"]
    before = traces_of(host.name)

    host.down()

    assert before
    assert traces_of(host.name) == []
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_has_a_hosts_old_process_id_is_left_alone() -> None:
    with Host.up("stale") as host, subprocess.Popen(["sleep", "infinity"]) as stranger:
        record = LAB_DIR / "hosts" / host.name / "pid1"
        _, start, boot_id = record.read_text().split()
        host.kill()
        record.write_text(f"{stranger.pid} {start} {boot_id}\n")

        state = host.describe()["state"]
        host.down()

        assert state == "off"
        assert stranger.poll() is None
        stranger.kill()


# The lab network


def test_hosts_with_addresses_reach_each_other_and_are_reached_from_the_machine() -> None:
    with Host.up("near", "auto") as near, Host.up("far", "auto") as far:
        far.run("sh", "-c", "mkdir /srv/www; echo hello > /srv/www/x")
        serve = ("systemd-run", "python3", "-m", "http.server", "-d", "/srv/www", "80")
        far.run(*serve)
        url = f"http://{far.address}/x"
        wait_for(
            lambda: far.run("curl", "-sf", "http://127.0.0.1/x", check=False).stdout == "hello\n",
            30, "the server to answer",
        )  # fmt: skip

        from_host = near.run("curl", "-s", "-m", "5", url)
        with urllib.request.urlopen(url, timeout=5) as answer:
            from_machine = answer.read()

        assert from_host.stdout == "hello\n"
        assert from_machine == b"hello\n"


def test_an_address_is_given_to_one_host_only() -> None:
    with Host.up("first", "auto") as first:
        second = call_lab("up", f"second-{first.name}"[:32].rstrip("-"), first.address or "")

        assert second.returncode == 1
        assert f"{first.address} is in use by another host" in second.stderr
