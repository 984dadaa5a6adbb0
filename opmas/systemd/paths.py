"""Unit names and their D-Bus object paths (systemd's bus label escaping, both directions)."""

from __future__ import annotations

import re
from typing import Final

from opmas.core.agent.terms import UNIT_PREFIX

_ROOT: Final = b"/org/freedesktop/systemd1/unit/"
_PLAIN: Final = re.compile(rb"[^A-Za-z0-9]|^[0-9]")
_ESCAPED: Final = re.compile(rb"_([0-9a-f]{2})")


def unit_path(unit: str) -> bytes:
    """Return the object path of the unit."""
    return _ROOT + _PLAIN.sub(lambda match: b"_%02x" % match[0][0], unit.encode())


def path_unit(path: bytes) -> str:
    """Return the unit at the object path."""
    label = path[len(_ROOT) :]
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), label).decode(errors="replace")


# Compared as bytes before anything of a signal is decoded: most are about other units.
AGENT_PATHS: Final = unit_path(UNIT_PREFIX)
