"""A host with OPMAS and a repository of sample packages for its apt."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Host
from tests.system.apt_repository import Repository, Sample, Signer
from tests.system.install import install

WEB = "opmas-agent-web"
PLAIN, EDITED, NEW = "/etc/web.conf", "/etc/web-edited.conf", "/etc/web-new.conf"
STOPS = "touch /run/reached; while [ ! -e /run/go ]; do sleep 0.1; done"


def web(version: str, **changed: object) -> Sample:
    """A version of the sample package: one file, and configuration files that change with it."""
    new = {NEW: "new\n"} if version != "1.0" else {}
    shipped = {PLAIN: f"plain {version}\n", EDITED: f"shipped {version}\n", **new}
    given = {"files": {"/usr/lib/web/version": f"{version}\n"}, "conffiles": shipped, **changed}
    return Sample(WEB, version, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    with Signer.new() as signer:
        yield signer


@pytest.fixture(scope="module")
def repository(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("apt") / "repository", signer)


@pytest.fixture(scope="module")
def work_host(debs: Path) -> Iterator[Host]:
    with Host.up("work") as host:
        install(host, debs)
        yield host
