"""A lab host whose agents are a few lines of shell, and the manager's view of them.

The bridge runs inside the host, the client outside: what is tested is the adapter as it is, with
`packaging/lab exec` as its way in.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.core.agent.terms import unit_name
from opmas.systemd.client import Patience, SystemdUnits
from tests.lab import LAB, Host

if TYPE_CHECKING:
    from collections.abc import Iterator

OPMAS: Final = Path(__file__).resolve().parents[3] / "opmas"
ETC: Final = "/etc/systemd/system"

# It is ready at once and exits with the number that is written to its FIFO.
TEMPLATE: Final = """\
[Unit]
Description=agent %i of a test
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'rm -f /run/%i.exit; mkfifo /run/%i.exit; systemd-notify --ready; \\
    read status < /run/%i.exit; exit $status'
Restart=on-failure
RestartSec=200ms
RestartPreventExitStatus=78
StateDirectory=opmas-agents/%i
Slice=opmas-agents.slice
"""

# What costs a host least: for many agents at once.
SLEEPER: Final = """\
[Unit]
StartLimitIntervalSec=60
StartLimitBurst=1000

[Service]
Type=exec
ExecStart=/bin/sleep infinity
Restart=on-failure
RestartSec=200ms
Slice=opmas-agents.slice
"""

PROBE: Final = """\
[Unit]
CollectMode=inactive-or-failed

[Service]
Type=oneshot
ExecStart=/bin/true
"""


class UnitsHost:
    """The host, with what a test does to it from outside."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def units(self, *arguments: str, patience: Patience | None = None) -> SystemdUnits:
        """Return the adapter for this host; `arguments` are the bridge's."""
        module = ("/usr/bin/python3", "-sP", "-m", "opmas.systemd.bridge")
        inside = ("env", "PYTHONPATH=/opt/opmas", *module, *arguments)
        return SystemdUnits([str(LAB), "exec", self.host.name, "--", *inside], patience)

    def sh(self, script: str, *arguments: str) -> str:
        """Run a shell script in the host and return its output."""
        return self.host.run("sh", "-ec", script, "sh", *arguments).stdout

    def drop_in(self, agent: str, *lines: str) -> None:
        """Change the agent's unit as OPMAS does, without a reload."""
        text = "".join(f"{line}\n" for line in ("[Service]", *lines))
        path = f"{ETC}/{unit_name(agent)}.d"
        self.sh('mkdir -p "$1"; printf %s "$2" > "$1/50-opmas.conf"', path, text)

    def command(self, agent: str, script: str) -> None:
        """Let the agent be another shell script."""
        self.drop_in(agent, "ExecStart=", f"ExecStart=/bin/sh -c '{script}'")

    def mask(self, agent: str) -> None:
        """Mask the agent's unit."""
        self.sh('ln -s /dev/null "$1"', f"{ETC}/{unit_name(agent)}")

    def systemctl(self, verb: str, agent: str, *options: str) -> None:
        """Do as an admin does."""
        self.host.run("systemctl", verb, *options, unit_name(agent), check=False)

    def bridge_pid(self) -> str:
        """Return the process ID of the one bridge that runs, as the host counts."""
        (pid,) = self.sh("pgrep -f '^/usr/bin/python3 .*opmas[.]systemd[.]bridge'").split()
        return pid

    def bridge_usage(self) -> tuple[int, int]:
        """Return the bridge's resident kilobytes and its number of open files."""
        count = 'awk "/VmRSS/ {print \\$2}" /proc/$1/status; ls /proc/$1/fd | wc -l'
        resident, files = self.sh(count, self.bridge_pid()).split()
        return int(resident), int(files)


@contextmanager
def units_host(name: str, template: str = TEMPLATE) -> Iterator[UnitsHost]:
    """Boot a host that has the template and OPMAS's modules, and remove it."""
    with Host.up(name) as host:
        host.run("sh", "-c", f"cat > {ETC}/opmas-agent@.service", input=template)
        host.run("sh", "-c", f"cat > {ETC}/opmas-probe@.service", input=PROBE)
        host.copy_in(OPMAS, "/opt/opmas/opmas")
        yield UnitsHost(host)
