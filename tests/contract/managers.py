"""The managers that a contract is held against: the fake, and the real one on a fake systemd."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opmas.client.control import ManagerClient
from opmas.manager.service import Manager
from tests.fakes.host import package
from tests.fakes.manager import FakeManager
from tests.integration.manager.place import Place

NEEDY = ["network=observe", "proc=host"]
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a Unix socket has 107 bytes at most."""
    path = Path(tempfile.mkdtemp(prefix="opmas-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def fake(folder: Path) -> Iterator[Call]:
    with FakeManager(folder / "fake.sock") as manager:
        manager.host.packages = {"nap": package("nap"), "needy": package("needy", *NEEDY)}
        with ManagerClient(str(manager.path)) as client:
            yield client.call


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own: calls are made from this one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def real(
    folder: Path, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Call]:
    monkeypatch.setattr(Manager, "_handle_signals", lambda _: None)  # of the main thread alone
    place = Place(folder)
    place.add_package("needy", "sandbox: {network: observe, proc: host}")
    asyncio.run_coroutine_threadsafe(place.__aenter__(), loop).result(30)
    with ManagerClient(str(place.socket)) as client:
        yield client.call
    asyncio.run_coroutine_threadsafe(place.__aexit__(), loop).result(30)


@pytest.fixture(params=["fake", "real"])
def call(request: pytest.FixtureRequest) -> Call:
    found: Call = request.getfixturevalue(request.param)
    return found


def create(call: Call, name: str = "web", **more: Any) -> dict[str, Any]:
    return call("agent.put", **{"name": name, "package": "nap", "wait": 10, **more})
