"""The corpus of faults from outside, each in the window of a good update."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.lab import wait_for
from tests.system.updates.ground import DATA, DELAY, WARM, Ground
from tests.system.updates.packages import NEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = 15.0  # seconds; a fault lasts until its end
PLACE: Final = "/run/outside"  # files that are a trouble as long as they are there
PORT: Final = 47012
HOSTS: Final = "127.0.0.1 server.test"  # a line of hosts(5)
LOOPBACK: Final[dict[str, Any]] = {"sandbox": {"network": "loopback"}}
# Answers GET /NAME with the status in the file NAME, or with 200.
SERVER: Final = f"""
import http.server, pathlib
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path("{PLACE}" + self.path)
        self.send_response(int(file.read_text()) if file.exists() else 200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", {PORT}), Answer).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class OutsideFault:
    """One fault: `strike` is run on the host in the window, `mend` when it is over.

    `reasons` are those that the change is kept with. `keys` go into the agent.yaml of both
    versions, `fault` is one of the old version.
    """

    name: str
    words: str
    reasons: tuple[str, ...]
    strike: str = "true"
    mend: str = "true"
    config: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    disk: str = ""
    is_before: bool = False  # it strikes before the update


def trouble(
    name: str, words: str, reason: str, strike: str = "true", mend: str = "true", **more: Any
) -> OutsideFault:
    """Return a fault of which the agent says `stuck`, which is no code for what is outside."""
    file = f"{PLACE}/{name}"
    return OutsideFault(
        name, words, (reason,), f"touch {file}; {strike}", f"rm {file}; {mend}",
        {"trouble": file, "code": "stuck"}, **more,
    )  # fmt: skip


FAULTS: Final = (
    OutsideFault(
        "full-disk", "the disk is full", ("disk-full",),
        f"head -c 100M /dev/zero > {DATA}/full-disk/filler || true",
        f"rm {DATA}/full-disk/filler", disk="64m",
    ),
    OutsideFault(
        "dead-dns", "DNS is dead", ("outside-server",),
        "sed -i /server.test/d /etc/hosts", f"echo {HOSTS} >> /etc/hosts",
        {"host": "server.test"}, LOOPBACK,
    ),
    OutsideFault(
        "server-429", "a server answers 429", ("outside-server",),
        f"echo 429 > {PLACE}/a", f"rm {PLACE}/a", {"server": f"{PORT}/a"}, LOOPBACK,
    ),
    OutsideFault(
        "server-503", "a server answers 503", ("outside-server",),
        f"echo 503 > {PLACE}/b", f"rm {PLACE}/b", {"server": f"{PORT}/b"}, LOOPBACK,
    ),
    OutsideFault(
        "slow-stop", "the old version does not end, and is killed", ("well",),
        fault="IgnoresSigterm",
    ),
    trouble(
        "failed-before", "it was unhealthy before", "was-failing-before",
        is_before=True,
    ),
    OutsideFault("sibling", "another agent of the package failed before", ("well",)),
    trouble(
        "dependency", "an agent that it wants is down, and it says so", "dependency-down",
        "opmas agent stop peer", "opmas agent start peer",
        keys={"wants": ["peer"]},
    ),
    OutsideFault(
        "required", "an agent that it requires is stopped", ("dependency-down", "well"),
        "systemctl stop opmas-agent@base", "opmas agent start base", keys={"requires": ["base"]},
    ),
    OutsideFault(
        "stopped", "an admin stops it", ("stopped-by-admin", "not-running"),
        "systemctl stop opmas-agent@stopped", "systemctl start opmas-agent@stopped",
    ),
    OutsideFault(
        "killed", "an admin kills it", ("well",), "systemctl kill -s KILL opmas-agent@killed",
    ),
)  # fmt: skip
OVERLOADED: Final = trouble(
    "overloaded", "the host is overloaded, and it is late", "host-overloaded"
)


def prepare(ground: Ground) -> None:
    """Set up what the agents of the corpus work with."""
    server = ("systemd-run", "--unit=outside-server", "python3", "-c", SERVER)
    ground.host.run("mkdir", "-p", PLACE)
    ground.host.run(*server)
    ground.host.run("sh", "-c", f"echo {HOSTS} >> /etc/hosts")
    ground.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    for name in ("peer", "base"):
        ground.supply(name)
        ground.create(name)


def update(ground: Ground, fault: OutsideFault) -> dict[str, Any]:
    """Update the fault's agent to a good version, with the fault in its window; the change."""
    name = fault.name
    if fault.disk:
        ground.give_disk(name, fault.disk)
    ground.supply(name, fault=fault.fault, **fault.keys)
    grants = ["network=loopback"] if "sandbox" in fault.keys else []
    ground.declare(name, config=dict(fault.config), grants=grants)
    if name == "sibling":
        ground.declare("failed-sibling", name, config={"needs": f"{PLACE}/never"})
        ground.failing("failed-sibling")
    if fault.is_before:
        ground.host.run("sh", "-c", fault.strike)
    ground.counts(name, WARM)
    ground.supply(name, NEXT, **fault.keys)
    change = ground.update(name, window=WINDOW)
    if not fault.is_before:
        _watched(ground, change, name)
        ground.host.run("sh", "-c", fault.strike)
    change = ground.ended(change)
    ground.host.run("sh", "-c", fault.mend)
    return change


def _watched(ground: Ground, change: dict[str, Any], name: str) -> None:
    """Wait until the new version is watched, and up."""

    def look() -> bool:
        state = ground.call("change.show", id=change["id"])["state"]
        return bool(state == "watching" and ground.show(name)["phase"] == "running")

    wait_for(look, 60, f"{name} is watched", DELAY)
