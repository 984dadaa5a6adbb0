"""What OPMAS needs of systemd: its release, control groups, D-Bus, units, the journal."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final

from opmas.cli.checks.model import FAILED, OK, WARNING, Check

if TYPE_CHECKING:
    from opmas.cli.checks.model import Host

OLDEST: Final = 252  # Debian 12's
CONTROLLERS: Final = ("cpu", "memory", "pids")
PRIVATE_SOCKET: Final = "/run/systemd/private"
BUS_SOCKET: Final = "/run/dbus/system_bus_socket"
MANAGER: Final = "opmas-manager.service"
API: Final = ("opmas-api.socket", "opmas-api.service")
TEMPLATE: Final = "opmas-agent@.service"
PROPERTIES: Final = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"


def check_systemd(host: Host) -> Check:
    """Check that systemd is PID 1 and recent enough."""
    if not host.path("/run/systemd/system").is_dir():  # sd_booted(3)
        try:
            first = host.path("/proc/1/comm").read_text(encoding="utf-8").strip()
        except OSError:
            first = "unknown"
        mend = "run OPMAS on a host, or in a container, that systemd has booted"
        return Check("systemd", FAILED, f"PID 1 is not systemd but {first}", mend)
    answer = host.run(["systemctl", "--version"])
    found = re.match(r"systemd (\d+)(?: \((.*?)\))?", answer.text)
    if found is None:
        return Check("systemd", FAILED, f"systemctl does not answer: {answer.reason}", "repair it")
    version = int(found[1])
    if version < OLDEST:
        mend = f"upgrade to systemd {OLDEST} or later (Debian 12 has it)"
        return Check("systemd", FAILED, f"systemd {version} is too old", mend)
    return Check("systemd", OK, f"systemd {found[2] or version} is PID 1")


def check_cgroups(host: Host) -> Check:
    """Check that control groups have the controllers that limits need."""
    top = host.path("/sys/fs/cgroup")
    try:
        there = (top / "cgroup.controllers").read_text(encoding="utf-8").split()
        version = 2
    except OSError:
        there = [name for name in CONTROLLERS if (top / name).is_dir()]
        version = 1
    missing = [name for name in CONTROLLERS if name not in there]
    if missing:
        mend = "boot without cgroup_disable= on the kernel's command line"
        found = f"version {version} without the controllers {', '.join(missing)}"
        return Check("cgroups", FAILED, f"{found}: limits are not enforced", mend)
    if version == 1:
        mend = "boot without systemd.unified_cgroup_hierarchy=0 on the kernel's command line"
        # systemd.resource-control(5): MemoryHigh= is of the unified hierarchy only
        found = "version 1: memory_high is not enforced, and systemd 256 does not boot with it"
        return Check("cgroups", WARNING, found, mend)
    return Check("cgroups", OK, f"version 2 with {', '.join(CONTROLLERS)}")


def check_dbus(host: Host) -> Check:
    """Check that systemd can be reached, over its own socket or the system bus."""
    private = host.path(PRIVATE_SOCKET).exists()
    bus = _answers(str(host.path(BUS_SOCKET)))
    if private and bus:
        return Check("dbus", OK, "systemd's private socket and the system bus are there")
    if private:
        mend = "systemctl start dbus.socket"
        return Check("dbus", WARNING, "the system bus does not answer; OPMAS does without", mend)
    if bus:
        found = "systemd's private socket is missing; OPMAS uses the system bus"
        return Check("dbus", WARNING, found, "systemctl daemon-reexec")
    found = "neither systemd's private socket nor the system bus is there"
    return Check("dbus", FAILED, found, "systemctl start dbus.socket; systemctl daemon-reexec")


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(path)
        except OSError:
            return False
        return True


def check_units(host: Host) -> list[Check]:
    """Check the units of the manager, the API and the agents' template."""
    answer = host.run(["systemctl", "show", f"--property={PROPERTIES}", MANAGER, *API])
    if answer.code != 0:
        mend = "check systemd first"
        return [Check("units", FAILED, f"systemctl cannot show them: {answer.reason}", mend)]
    units = [_properties(block) for block in answer.text.split("\n\n")]
    by_name = {unit.get("Id", ""): unit for unit in units}
    checks = [_service(by_name.get(MANAGER, {}), MANAGER, "opmas-manager")]
    if any(by_name.get(name, {}).get("LoadState") == "loaded" for name in API):
        checks.append(_api(by_name))
    checks.append(_template(host))
    return checks


def _properties(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.split("\n"))
    return {name: value for name, _, value in pairs}


def _service(unit: dict[str, str], name: str, package: str) -> Check:
    load, active = unit.get("LoadState", ""), unit.get("ActiveState", "")
    if load == "not-found":
        mend = f"apt install {package}"
        return Check("unit of the manager", FAILED, f"{name} is not installed", mend)
    if load != "loaded":
        mend = f"systemctl unmask {name}" if load == "masked" else f"systemctl status {name}"
        return Check("unit of the manager", FAILED, f"{name} is {load}", mend)
    if active != "active":
        mend = f"systemctl restart {name}; journalctl -u {name} -n 50"
        return Check("unit of the manager", FAILED, f"{name} is {active}", mend)
    if unit.get("NeedDaemonReload") == "yes":
        found = f"{name} runs with an older unit file than is on disk"
        return Check("unit of the manager", WARNING, found, "systemctl daemon-reload")
    if unit.get("UnitFileState") == "disabled":
        found = f"{name} runs but is not started at boot"
        return Check("unit of the manager", WARNING, found, f"systemctl enable {name}")
    return Check("unit of the manager", OK, f"{name} is active")


def _api(by_name: dict[str, dict[str, str]]) -> Check:
    broken = [name for name in API if by_name.get(name, {}).get("ActiveState") == "failed"]
    if broken:
        mend = f"journalctl -u opmas-api -n 50; systemctl restart {broken[0]}"
        return Check("units of the API", FAILED, f"{broken[0]} has failed", mend)
    active = [name for name in API if by_name.get(name, {}).get("ActiveState") == "active"]
    if not active:
        mend = "systemctl enable --now opmas-api.socket"
        return Check("units of the API", WARNING, "the API is installed but does not listen", mend)
    return Check("units of the API", OK, f"{active[0]} is active")


def _template(host: Host) -> Check:
    # `show` needs an instance, and loading one would look like a new agent to the manager
    answer = host.run(["systemctl", "cat", TEMPLATE])
    if answer.code != 0:
        mend = "apt install --reinstall opmas-manager"
        return Check("unit of the agents", FAILED, f"{TEMPLATE} is not there", mend)
    return Check("unit of the agents", OK, f"{TEMPLATE} is there")


def check_journal(host: Host) -> Check:
    """Check that the logs of OPMAS can be read."""
    argv = ["journalctl", f"--unit={MANAGER}", "--lines=1", "--quiet", "--output=cat"]
    answer = host.run(argv)
    if answer.code != 0 or "No journal files" in answer.error:
        return _unread(host, answer.reason)
    if not answer.text:
        found = f"readable, but it holds nothing from {MANAGER}"
        mend = "start the manager" if host.is_root else "run `opmas doctor` as root"
        return Check("journal", WARNING, found, mend)
    return Check("journal", OK, "readable")


def _unread(host: Host, reason: str) -> Check:
    if host.is_root:
        return Check("journal", FAILED, reason, "systemctl restart systemd-journald")
    mend = "run `opmas doctor` as root, or join the group systemd-journal"
    return Check("journal", WARNING, reason, mend)
