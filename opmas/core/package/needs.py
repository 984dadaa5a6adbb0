"""What a package asks to have opened in its sandbox, as names that an admin grants.

A need is one name such as `network=observe` or `read=/srv/www`. Only what a package asks for
*and* the admin granted is ever opened: `granted_sandbox` is the one place where the two meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.package.capability import CAPABILITIES
from opmas.core.package.sandbox import Network, Proc, Sandbox

if TYPE_CHECKING:
    from collections.abc import Collection

    from opmas.core.package.manifest import Manifest

_NETWORK: Final = {
    Network.OBSERVE: "sees the host's network interfaces and their counters; sends nothing",
    Network.LOOPBACK: "talks over the network with programs on this host alone",
    Network.FULL: "talks with any host over the network, and listens on ports",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a package asks for; `explanation` is for the admin who grants it."""

    name: str
    explanation: str


def needs_of(manifest: Manifest) -> tuple[Need, ...]:
    """Return all that the package asks for, in the order in which it is shown."""
    sandbox = manifest.sandbox
    found = []
    if sandbox.network is not Network.NONE:
        found.append(Need(f"network={sandbox.network}", _NETWORK[sandbox.network]))
    if sandbox.proc is Proc.HOST:
        found.append(
            Need("proc=host", "sees figures of the whole host in /proc, no other processes")
        )
    if sandbox.bus:
        found.append(Need("bus=system", "talks to the system D-Bus, as an ordinary user does"))
    found += [
        Need(f"read={path}", f"sees {path}, where its file permissions allow")
        for path in sandbox.read
    ]
    found += [
        Need(f"write={path}", f"writes below {path}, where its file permissions allow")
        for path in sandbox.write
    ]
    found += [Need(f"capability={name}", _capability(name)) for name in sandbox.capabilities]
    found += [
        Need(f"group={name}", f"has the rights of the group {name}") for name in sandbox.groups
    ]
    return tuple(dict.fromkeys(found))


def missing_grants(manifest: Manifest, grants: Collection[str]) -> tuple[Need, ...]:
    """Return what the package asks for and was not granted."""
    return tuple(need for need in needs_of(manifest) if need.name not in grants)


def granted_sandbox(sandbox: Sandbox, grants: Collection[str]) -> Sandbox:
    """Return the part of the sandbox's wishes that was granted."""

    def granted(kind: str, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(value for value in dict.fromkeys(values) if f"{kind}={value}" in grants)

    return Sandbox(
        network=sandbox.network if f"network={sandbox.network}" in grants else Network.NONE,
        proc=sandbox.proc if f"proc={sandbox.proc}" in grants else Proc.OWN,
        read=granted("read", sandbox.read),
        write=granted("write", sandbox.write),
        capabilities=granted("capability", sandbox.capabilities),
        groups=granted("group", sandbox.groups),
        bus=sandbox.bus and "bus=system" in grants,
    )


def _capability(name: str) -> str:
    extra = ", and sees other processes" if name == "CAP_SYS_PTRACE" else ""
    return f"may {CAPABILITIES[name]}{extra}; lives outside its own user namespace"
