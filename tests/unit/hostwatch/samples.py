"""A sample of a host, with the readings that a test is about."""

from typing import Any

from opmas.agents.hostwatch.hostwatch.host import Sample
from opmas.agents.hostwatch.hostwatch.mounts import Filesystem
from opmas.agents.hostwatch.hostwatch.usage import Usage

NOTHING = Sample(
    at=0.0,
    cpu=None,
    memory=None,
    load=None,
    pressure={},
    disks=None,
    interfaces=None,
    links={},
    filesystems=None,
    usage={},
    temperatures=None,
    failed_units=None,
    problems={},
)

HALF_FULL = Usage(size=1000, free=500, available=450, files=100, files_free=10)


def sample(**readings: Any) -> Sample:
    """Return a sample that has these readings and no others."""
    return NOTHING._replace(**readings)


def filesystem(mountpoint: str = "/", **fields: Any) -> Filesystem:
    """Return a file system whose device is named like its mount point."""
    found = Filesystem(mountpoint, mountpoint, "ext4", False, (mountpoint,), frozenset({1}))
    return found._replace(**fields)
