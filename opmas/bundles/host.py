"""What of this host decides whether a wheel and a package fit: its Python and its architecture."""

from __future__ import annotations

import platform
import sysconfig
from dataclasses import dataclass
from functools import cache
from typing import Final

from packaging.markers import default_environment
from packaging.tags import Tag, sys_tags

from opmas.version import VERSION

# The triplet of the interpreter, so that a 32-bit Debian on a 64-bit kernel is what it is.
_ARCHITECTURES: Final = {
    "x86_64-linux-gnu": "amd64",
    "aarch64-linux-gnu": "arm64",
    "arm-linux-gnueabihf": "armhf",
    "arm-linux-gnueabi": "armel",
    "i386-linux-gnu": "i386",
    "loongarch64-linux-gnu": "loong64",
    "mips64el-linux-gnuabi64": "mips64el",
    "powerpc64le-linux-gnu": "ppc64el",
    "riscv64-linux-gnu": "riscv64",
    "s390x-linux-gnu": "s390x",
}


@dataclass(frozen=True, slots=True)
class Host:
    """The facts; `tags` are what wheels may have, the best first, with their rank."""

    python: str
    architecture: str
    opmas: str
    tags: dict[Tag, int]
    markers: dict[str, str]


@cache
def this_host() -> Host:
    """Return the facts of the interpreter that runs this: agents run with the same one."""
    return Host(
        python=platform.python_version(),
        architecture=_architecture(),
        opmas=VERSION,
        tags={tag: rank for rank, tag in enumerate(sys_tags())},
        markers={key: str(value) for key, value in default_environment().items()},
    )


def _architecture() -> str:
    triplet = str(sysconfig.get_config_var("MULTIARCH") or "")
    return _ARCHITECTURES.get(triplet, platform.machine())
