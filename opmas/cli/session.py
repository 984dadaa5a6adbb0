"""One run of `opmas`: what was asked, whom to ask, and where the answer goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from opmas.cli.exits import Exit
from opmas.cli.text import COLOURED, PLAIN, UNLIMITED, Palette, visible
from opmas.client.control import DEFAULT_SOCKET, ManagerClient
from opmas.errors import ConfigError, InvalidError

if TYPE_CHECKING:
    import argparse

DEFAULT_CONFIG = "/etc/opmas"


class View(NamedTuple):
    """How a document is shown: the columns there are, the styles, and the time now."""

    width: int
    palette: Palette
    now: datetime


class Session:
    """The arguments, the manager and the terminal of one command."""

    def __init__(self, args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> None:
        self.args = args
        self.environ = environ
        self.as_json = bool(getattr(args, "json", False))
        self._manager: ManagerClient | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._manager is not None:
            self._manager.close()

    @property
    def manager(self) -> ManagerClient:
        """The manager, as a client that connects at its first call."""
        if self._manager is None:
            self._manager = self.new_client()
        return self._manager

    def new_client(self, timeout: float = 10.0) -> ManagerClient:
        """Return a client of its own, for a thread or a long-poll."""
        return ManagerClient(self.socket, timeout)

    @property
    def socket(self) -> str:
        """The path of the manager's control socket."""
        given = getattr(self.args, "socket", None) or self.environ.get("OPMAS_MANAGER_SOCKET")
        return given or str(self.setting("manager", "socket", DEFAULT_SOCKET))

    @property
    def config_dir(self) -> str:
        """The directory that holds opmas.yaml."""
        return getattr(self.args, "config_dir", None) or DEFAULT_CONFIG

    def setting(self, section: str, key: str, default: str) -> str:
        """Return a setting of the manager: from the environment, opmas.yaml or the default."""
        name = f"OPMAS_{section}_{key}".upper()
        if name in self.environ:
            return self.environ[name]
        path = f"{self.config_dir}/opmas.yaml"
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 5 ms
                text = file.read()
        except (OSError, UnicodeDecodeError):
            return default
        # YAML is slow to import: only a file that sets the key is parsed
        if not any(line.strip().startswith(f"{key}:") for line in text.splitlines()):
            return default
        return _setting(path, text, (section, key)) or default

    @property
    def view(self) -> View:
        """How standard output shows things."""
        return View(_width(sys.stdout, self.environ), self.palette(sys.stdout), datetime.now(UTC))

    def palette(self, stream: Any) -> Palette:
        """Return colours for a terminal, unless NO_COLOR (https://no-color.org) is set."""
        wanted = not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"
        return COLOURED if wanted and stream.isatty() else PLAIN

    @property
    def can_ask(self) -> bool:
        """Whether there is someone at a terminal who can answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.as_json

    @property
    def shows_progress(self) -> bool:
        """Whether someone at a terminal sees what is going on."""
        return sys.stderr.isatty() and not self.as_json

    @property
    def columns(self) -> int:
        """How wide the terminal of standard error is."""
        return _width(sys.stderr, self.environ)

    def ask(self, question: str) -> bool:
        """Return whether the answer to the question is yes; no answer is no."""
        sys.stderr.write(f"{visible(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def note(self, text: str) -> None:
        """Tell something beside the answer, on standard error."""
        print(
            f"{self.palette(sys.stderr).paint('opmas:', 'dim')} {visible(text)}", file=sys.stderr
        )

    def warn(self, text: str) -> None:
        """Tell a person something beside the answer that should be looked at."""
        if self.as_json:  # the document has it; standard error is for errors
            return
        palette = self.palette(sys.stderr)
        print(f"{palette.paint('opmas:', 'dim')} {palette.paint(text, 'warn')}", file=sys.stderr)

    def show(
        self, schema: str, document: dict[str, Any], render: Callable[[dict[str, Any], View], str]
    ) -> None:
        """Print the document: as JSON with its schema, or rendered for people."""
        if self.as_json:
            import json

            print(json.dumps({"schema": schema, **document}, indent=2))
            return
        text = render(document, self.view)
        if text:
            print(text)

    @property
    def author(self) -> str:
        """Who makes a change: the login name, also behind sudo."""
        import pwd

        user = os.getuid()
        if user == 0 and self.environ.get("SUDO_USER"):
            return self.environ["SUDO_USER"]
        try:
            return pwd.getpwuid(user).pw_name
        except KeyError:
            return str(user)


def _width(stream: Any, environ: Mapping[str, str]) -> int:
    if not stream.isatty():
        return UNLIMITED
    try:
        columns = int(environ.get("COLUMNS", "0"))
    except ValueError:
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except OSError:
            columns = 0
    return columns or 80


def _setting(path: str, text: str, keys: tuple[str, str]) -> str | None:
    from opmas.packages.yamlfile import parse_yaml

    try:
        found: Any = parse_yaml(text, where=path)
    except InvalidError as error:
        raise ConfigError(error.message, error.problems) from error
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


Run = Callable[[Session], Exit]
