"""The way from the API to the manager: one connection a thread, one word for "away"."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opmas.client.control import ManagerClient
from opmas.errors import AccessDeniedError, ManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Manager:
    """Calls the manager's methods from any thread; raises what the manager names."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._of_thread = threading.local()
        self._clients: list[ManagerClient] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of the method; parameters that are None are left out."""
        with _refused_here():
            return self._client().call(method, **_given(params))

    def fetch(self, method: str, **params: Any) -> bytes:
        """Return the result as JSON text, unparsed."""
        with _refused_here():
            return self._client().fetch(method, **_given(params))

    def connect(self) -> ManagerClient:
        """Return a connection of the caller's own."""
        return ManagerClient(self._path, self._timeout)

    def close(self) -> None:
        """Close the connections of all threads; none of them may be in a call."""
        for client in self._clients:
            client.close()

    def _client(self) -> ManagerClient:
        client: ManagerClient | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._of_thread.client = self.connect()
            self._clients.append(client)
        return client


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


@contextmanager
def _refused_here() -> Iterator[None]:
    try:
        yield
    except AccessDeniedError as error:
        # The socket refuses this process, not the client who asked.
        raise ManagerError(error.message) from error
