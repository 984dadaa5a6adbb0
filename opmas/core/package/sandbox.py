"""What a package asks to have opened in its sandbox: `sandbox:` of agent.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from opmas.core.documents import fields
from opmas.core.documents.fields import FieldError, Fields, shown
from opmas.core.package.capability import CAPABILITIES
from opmas.core.unit.syntax import UNMOUNTABLE

# The form of useradd(8).
GROUP: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
NEVER_OPENED: Final = ("proc", "sys", "dev")  # the directories of the root that stay as they are


class Network(StrEnum):
    """What an agent sees of the network."""

    NONE = "none"
    OBSERVE = "observe"
    LOOPBACK = "loopback"
    FULL = "full"


class Proc(StrEnum):
    """What an agent sees in /proc beyond its own processes."""

    OWN = "own"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a package asks to have opened; nothing by default."""

    network: Network = Network.NONE
    proc: Proc = Proc.OWN
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    bus: bool = False


def read_sandbox(section: Fields) -> Sandbox:
    """Return what the section asks for; its faults go to the section's `problems`."""
    sandbox = Sandbox(
        network=section.get("network", fields.one_of(Network), Network.NONE),
        proc=section.get("proc", fields.one_of(Proc), Proc.OWN),
        read=section.get("read", fields.each(_path), ()),
        write=section.get("write", fields.each(_path), ()),
        capabilities=section.get("capabilities", fields.each(_capability), ()),
        groups=section.get("groups", _GROUPS, ()),
        bus=section.get("bus", fields.flag, default=False),
    )
    section.finish()
    return sandbox


_GROUPS: Final = fields.each(fields.matching(GROUP, "must be the name of a group"))


def _path(value: object) -> str:
    path = fields.absolute_path(value)
    top = path.split("/")[1]
    if top in {"", *NEVER_OPENED}:
        raise FieldError(("", f"cannot be opened: name a path that is not in /{top}"))
    if set(path) & set(UNMOUNTABLE):
        raise FieldError(("", f"must be a path without quotes, : and \\, not {shown(value)}"))
    return path


def _capability(value: object) -> str:
    if isinstance(value, str) and value in CAPABILITIES:
        return value
    hint = fields.nearest(value.upper(), CAPABILITIES) if isinstance(value, str) else ""
    raise FieldError(("", f"must be a capability like CAP_NET_RAW, not {shown(value)}{hint}"))
