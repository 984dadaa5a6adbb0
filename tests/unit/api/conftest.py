"""An app over a fake manager, and a client with a token of its own.

Every answer of every client is held to the contract.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from opmas.api.app import api_of, create_app
from opmas.api.context import Api
from opmas.api.settings import ApiSection
from tests.fakes.manager import FakeManager
from tests.promises import HeldClient


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
def settings(folder: Path) -> ApiSection:
    return ApiSection(
        manager_socket=str(folder / "manager.sock"),
        database=str(folder / "api.db"),
        upload_dir=str(folder / "uploads"),
        upload_limit=1 << 20,
        manager_timeout=1,
        waiting=3,
        threads=4,
    )


@pytest.fixture
def app(settings: ApiSection, manager: FakeManager) -> Iterator[Flask]:
    app = create_app(settings)
    app.test_client_class = HeldClient
    yield app
    api_of(app).close()
    api_of(app).manager.close()
    api_of(app).database.close()


@pytest.fixture
def api(app: Flask) -> Api:
    return api_of(app)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A client without a token."""
    return app.test_client()


@pytest.fixture
def token(api: Api) -> str:
    return api.tokens.create("ci")[1]


@pytest.fixture
def client(app: Flask, token: str) -> FlaskClient:
    """A client that sends a live token."""

    class WithToken(HeldClient):
        def open(self, *args, headers=None, **kwargs):
            sent = Headers(headers)
            sent.setdefault("Authorization", f"Bearer {token}")
            return super().open(*args, headers=sent, **kwargs)

    app.test_client_class = WithToken
    client: FlaskClient = app.test_client()
    app.test_client_class = HeldClient
    return client
