"""Virtual machines that begin where OPMAS is installed and its agents run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
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
    """Show what the test's machines said when it failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for name, value in item.funcargs.items():
            if isinstance(value, Site):
                report.sections.append((f"console of {name}", value.machine.console()))
                report.sections.append((f"story of {name}", value.story()))
    return report


@pytest.fixture(scope="session")
def debs() -> Path:
    """The directory of the packages, built from the tree as it is."""
    build("--reuse")
    return BUILD.parents[1] / "dist"


@pytest.fixture(scope="session")
def installed(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """A stock Debian 12 that runs, with the packages installed by apt, and agents.

    Made once for all processes of a run; the last that uses it removes it.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "installed"
    note = folder / "snapshot.pickle"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            shutil.rmtree(folder, ignore_errors=True)
            note.write_bytes(pickle.dumps(_install(folder, debs)))
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield pickle.loads(note.read_bytes())
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def _install(folder: Path, debs: Path) -> Snapshot:
    with Machine(folder / "machine", make_image()) as machine:
        site = Site(machine)
        try:
            site.install(debs)
            site.add_test_agents(folder / "keys")
            create_agents(site, folder / "packages")
        except Exception as error:
            error.add_note(site.story())
            error.add_note(machine.console())
            raise
        return machine.freeze("installed")


@pytest.fixture
def site(installed: Snapshot, tmp_path: Path) -> Iterator[Site]:
    """A machine of the test's own, at the moment when all agents run."""
    with Machine(tmp_path / "machine", installed) as machine:
        yield Site(machine)
