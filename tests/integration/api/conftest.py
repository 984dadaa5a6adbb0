"""A running API over a fake manager."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.manager import FakeManager
from tests.integration.api.service import Service


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a Unix socket has 107 bytes at most."""
    path = Path(tempfile.mkdtemp(prefix="opmas-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def manager(folder: Path) -> Iterator[FakeManager]:
    with FakeManager(folder / "manager.sock") as manager:
        yield manager


@pytest.fixture
def idle(folder: Path, manager: FakeManager) -> Iterator[Service]:
    """A service that was not started yet."""
    service = Service(folder)
    yield service
    if service.process is not None:
        service.stop()


@pytest.fixture
def service(idle: Service) -> Service:
    return idle.start()
