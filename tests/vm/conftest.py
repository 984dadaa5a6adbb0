"""Virtual machines that begin where OPMAS is installed and its agents run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.install import BUILD, build
from tests.vm.agentset import create_agents
from tests.vm.machine import Machine, Snapshot, make_image
from tests.vm.site import Site

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the consoles of the test's machines when it failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            machine = value.machine if isinstance(value, Site) else value
            if isinstance(machine, Machine):
                report.sections.append((f"console of {name}", machine.console()))
    return report


@pytest.fixture(scope="session")
def debs() -> Path:
    """The directory of the packages, built from the tree as it is."""
    build("--reuse")
    return BUILD.parents[1] / "dist"


@pytest.fixture(scope="session")
def installed(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """A stock Debian 12 that runs, with the packages installed by apt, and agents."""
    folder = tmp_path_factory.mktemp("installed")
    with Machine(folder / "machine", make_image()) as machine:
        site = Site(machine)
        site.install(debs)
        site.add_test_agents(folder / "keys")
        create_agents(site, folder / "packages")
        snapshot = machine.freeze("installed")
    yield snapshot
    shutil.rmtree(machine.folder)


@pytest.fixture
def site(installed: Snapshot, tmp_path: Path) -> Iterator[Site]:
    """A machine of the test's own, at the moment when all agents run."""
    with Machine(tmp_path / "machine", installed) as machine:
        yield Site(machine)
