"""The Debian packages, built once a run, and lab hosts that have them installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Host
from tests.system.install import BUILD, build, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def debs() -> Path:
    """The directory of the packages, built from the tree as it is."""
    build("--reuse")
    return BUILD.parents[1] / "dist"


@pytest.fixture
def bare_host() -> Iterator[Host]:
    """A host of the test's own, without OPMAS but with all libraries that it needs."""
    with Host.up("bare") as host:
        yield host


@pytest.fixture
def installed_host(debs: Path, bare_host: Host) -> Host:
    """A host of the test's own, with all packages just installed; costs about 4 s."""
    install(bare_host, debs)
    return bare_host


@pytest.fixture(scope="module")
def shared_host(debs: Path) -> Iterator[Host]:
    """A host with all packages, for the tests of a file that leave it as they find it."""
    with Host.up("shared") as host:
        install(host, debs)
        yield host
