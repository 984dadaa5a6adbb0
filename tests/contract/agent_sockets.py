"""The agent's socket of the real manager and of the one that authors test with."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from opmas.agent.testing import ManagerSocket, read_package
from opmas.agent.testing.package import config_problems, merged
from opmas.errors import InvalidError
from opmas.manager.agents import heard
from tests.integration.manager.place import Place

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

MANIFEST: Final = """
api: opmas.agent/v1
name: talker
version: 1.0.0
summary: Talks
runtime: python
entry: talker:Talker
config:
  schema:
    type: object
    additionalProperties: false
    required: [words]
    properties:
      words: {type: integer, minimum: 0}
      deep: {type: object, properties: {a: {type: integer}, b: {type: [integer, "null"]}}}
  defaults: {words: 1, deep: {a: 1, b: 2}}
events: {subscribes: [opmas.agent.created]}
"""


class AgentsManager(Protocol):
    """A manager with the agent `web` of the package talker, seen from its other side."""

    path: Path

    def forget(self) -> None:
        """Know nobody who connects from now on."""
        ...

    def configure(self, config: dict[str, Any]) -> None:
        """Give the agent's own configuration; `InvalidError` when its schema refuses it."""
        ...

    def happen(self) -> None:
        """Let an event happen that the package subscribes to, about the agent `other`."""
        ...

    def health(self) -> tuple[str, str]:
        """Return the status and the message of the agent's newest health."""
        ...

    def metrics(self) -> list[dict[str, Any]]:
        """Return the agent's newest metrics."""
        ...

    def events(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        """Return type, severity, message and data of the agent's events."""
        ...

    def has_refused(self) -> bool:
        """Return whether something that the agent sent was refused."""
        ...

    def veto(self) -> str:
        """Return why the agent refused its configuration."""
        ...


class AuthorsManager:
    """The manager of `opmas.agent.testing`."""

    def __init__(self, folder: Path) -> None:
        (folder / "agent.yaml").write_text(MANIFEST)
        self._package = read_package(folder)
        self.path = folder / "agent.sock"
        self.socket = ManagerSocket(self.path, config=merged(self._package.defaults, {}))
        self._offers = ThreadPoolExecutor(1)
        self._answer: Any = None

    def __enter__(self) -> Self:
        self.socket.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.__exit__()
        self._offers.shutdown()

    def forget(self) -> None:
        self.socket.knows = False

    def configure(self, config: dict[str, Any]) -> None:
        whole = merged(self._package.defaults, config)
        problems = config_problems(self._package, whole)
        if problems:
            raise InvalidError("cannot use the configuration", tuple(problems))
        version = (self.socket.version or 0) + 1
        if self.socket.greeted:  # it waits for the agent's answer
            self._answer = self._offers.submit(self.socket.offer_config, version, whole)
        else:
            self.socket.version, self.socket.config = version, whole

    def happen(self) -> None:
        names = ("id", "sequence", "type", "subject", "time", "data")
        self.socket.deliver(dict.fromkeys(names) | {"subject": "agent/other"})

    def health(self) -> tuple[str, str]:
        sent = self.socket.all("health")
        return (sent[-1]["status"], sent[-1].get("message", "")) if sent else ("unknown", "")

    def metrics(self) -> list[dict[str, Any]]:
        sent = self.socket.all("metrics")
        return sent[-1]["metrics"] if sent else []

    def events(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        return [
            (e["type"], e.get("severity", "info"), e.get("message", ""), e.get("data", {}))
            for e in self.socket.all("event")
        ]

    def has_refused(self) -> bool:
        return bool(self.socket.refused)

    def veto(self) -> str:
        done = self._answer is not None and self._answer.done()
        return str(self._answer.result()["error"]) if done else ""


class RealManager:
    """The manager, on a fake systemd."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._caller: str | None = "web"
        self._place = Place(folder)
        package = folder / "packages/talker"
        package.mkdir()
        (package / "agent.yaml").write_text(MANIFEST)
        self.path = folder / "run/agent.sock"

    def __enter__(self) -> Self:
        self._do(self._place.__aenter__())
        self.configure({})
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._place.__aexit__())

    def identify(self, _pid: int, _uid: int) -> str | None:
        """Stand for the kernel's word on who speaks."""
        return self._caller

    def forget(self) -> None:
        self._caller = None

    def configure(self, config: dict[str, Any]) -> None:
        self._do(self._place.create(package="talker", config=config))

    def happen(self) -> None:
        self._do(self._place.create("other"))

    def health(self) -> tuple[str, str]:
        view = self._do(self._place.show())
        return view["health"], view["health_message"]

    def metrics(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._do(self._place.show())["metrics"]
        return found

    def events(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        prefix = "agent.talker."
        return [
            (
                e["type"].removeprefix(prefix),
                *(e["data"][k] for k in ("severity", "message", "data")),
            )
            for e in self._do(self._place.events(after=0))
            if e["type"].startswith(prefix)
        ]

    def has_refused(self) -> bool:
        return self._place.manager.links.heard("web").refused_at > 0

    def veto(self) -> str:
        return self._place.manager.links.heard("web").config_error

    def _do(self, task: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(30)


class AgentsEnd:
    """The agent's end of the socket, as a context."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(10)
        self._path = path

    def __enter__(self) -> Self:
        self._socket.connect(str(self._path))
        self._lines = self._socket.makefile("rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def send_beside(self, raw: bytes) -> threading.Thread:
        """Send from a thread: there is more of it than is read at once."""
        thread = threading.Thread(target=self._socket.sendall, args=(raw,))
        thread.start()
        return thread

    def say(self, document: dict[str, Any]) -> None:
        self.send(json.dumps(document).encode() + b"\n")

    def tell(self, method: str, **params: Any) -> None:
        self.say({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.say({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        return self.heard()

    def heard(self) -> dict[str, Any]:
        """Return the next message, nothing when the manager has hung up."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            line = b""
        found: dict[str, Any] = json.loads(line) if line else {}
        return found


BURST: Final = int(heard.BURST)
