"""Finds the values that are secret on this host, so that they are known wherever they stand."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from opmas.core.documents.secret import HIDDEN, secret_paths, without_secrets
from opmas.diagnosis.files import agent_files, our_processes, unit_files
from opmas.diagnosis.reading import connect
from opmas.diagnosis.redaction.names import is_secret_name
from opmas.diagnosis.scene import read_text
from opmas.errors import OpmasError
from opmas.packages.catalogue import scan
from opmas.packages.yamlfile import read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from opmas.diagnosis.parts import Board, Outcome
    from opmas.diagnosis.scene import Scene

Schemas = dict[str, list[dict[str, Any]]]  # of each package, all versions
DEPTH: Final = 40
RAW: Final = 32 * 1024 * 1024  # bytes of a damaged file
LONGEST: Final = 64 * 1024  # characters of a value
MEMBER: Final = re.compile(rb'"([\w.-]{1,64})":\s?"((?:[^"\\\x00\n]|\\.){1,65536})"')


class Found:
    """Secret values: certain ones, and those whose name alone says so."""

    def __init__(self) -> None:
        self.values: set[str] = set()
        self.named: set[tuple[str, str]] = set()
        self.schemas: Schemas | None = None  # None: nobody can tell
        self.complete = True

    def value(self, text: str) -> None:
        """Remember a secret."""
        if 0 < len(text) <= LONGEST:
            self.values.add(text)

    def pair(self, name: str, value: str) -> None:
        """Remember what may be a secret by its name."""
        if is_secret_name(name) and 0 < len(value) <= LONGEST:
            self.named.add((name, value))

    def config(self, config: Mapping[str, Any], package: str | None) -> None:
        """Remember what is secret in a configuration of that package, or of any."""
        for name, value in named_leaves(config):
            self.pair(name, value)
        if self.schemas is None or (package is not None and package not in self.schemas):
            # nobody can tell what is secret in it: all of its text may be
            for text in _strings(config):
                self.pair("secret", text)
            return
        packages = self.schemas if package is None else [package]
        for schema in (schema for name in packages for schema in self.schemas[name]):
            for text in secret_values(config, without_secrets(config, schema)):
                self.value(text)

    def document(self, document: object, depth: int = 0) -> None:
        """Remember what is secret in the configurations anywhere in a document."""
        if depth > DEPTH:
            return
        if isinstance(document, dict):
            for key, item in document.items():
                if key == "config" and isinstance(item, dict):
                    package = document.get("package")
                    self.config(item, package if isinstance(package, str) else None)
                else:
                    self.document(item, depth + 1)
        elif isinstance(document, list):
            for item in document:
                self.document(item, depth + 1)


def hide(
    document: object, schemas: Schemas | None, mark: Callable[[str], str], depth: int = 0
) -> Any:
    """Return the document with what is secret in configurations marked, however short it is."""
    if depth > DEPTH:
        return document
    if isinstance(document, list):
        return [hide(item, schemas, mark, depth + 1) for item in document]
    if not isinstance(document, dict):
        return document
    found = {}
    for key, item in document.items():
        if key == "config" and isinstance(item, dict):
            found[key] = _hidden_config(item, document.get("package"), schemas, mark)
        else:
            found[key] = hide(item, schemas, mark, depth + 1)
    return found


def _hidden_config(
    config: dict[str, Any], package: object, schemas: Schemas | None, mark: Callable[[str], str]
) -> Any:
    if schemas is None or (isinstance(package, str) and package not in schemas):
        return _marked(config, dict.fromkeys(config, HIDDEN), mark)
    found: Any = config
    for name in [package] if isinstance(package, str) else schemas:
        for schema in schemas[name]:
            found = _marked(found, without_secrets(found, schema), mark)
    return found


def _marked(value: object, hidden: object, mark: Callable[[str], str]) -> Any:
    if hidden == HIDDEN and value != HIDDEN:
        return mark(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    if isinstance(value, dict) and isinstance(hidden, dict):
        return {key: _marked(item, hidden.get(key), mark) for key, item in value.items()}
    if isinstance(value, list) and isinstance(hidden, list):
        return [_marked(a, b, mark) for a, b in zip(value, hidden, strict=True)]
    return value


def gather(scene: Scene, out: Outcome) -> None:
    """Find all that is secret and leave it on the board; it is never added to the archive."""
    found = Found()
    found.complete = scene.is_root
    try:
        found.schemas = load_schemas(scene)
    except (OpmasError, OSError) as error:
        out.problem(f"which settings are secret is not known, so all text in them is: {error}")
    from_settings(scene, found)
    for document in agent_files(scene, out.board).values():
        found.document(document)
    for text in unit_files(scene, out.board).values():
        unit_secrets(text, scene, found)
    from_processes(scene, out.board, found)
    from_credentials(scene, found)
    for problem in from_database(scene, found, out.until):
        out.problem(problem)
    out.board.put("secrets", found)


def load_schemas(scene: Scene) -> Schemas:
    """Return the schemas with secrets of each package on the host. Raises BackendError."""
    roots = [str(scene.path(path)) for path in scene.settings.manager.packages_path]
    schemas: Schemas = {}
    for package in scan(roots, scene.state / "packages").packages:
        known = schemas.setdefault(package.name, [])
        if secret_paths(package.manifest.schema):
            known.append(package.manifest.schema)
    return schemas


def unit_secrets(text: str, scene: Scene, found: Found) -> None:
    """Look into the text of a unit file."""
    for line in text.replace("\\\n", " ").splitlines():
        key, _, value = line.strip().partition("=")
        key = key.strip().lower()
        if key == "environment":
            for assignment in _words(value):
                name, _, secret = assignment.partition("=")
                found.pair(name, secret)
        elif key in {"setcredential", "setcredentialencrypted"}:
            found.value(value.partition(":")[2].strip())
        elif key == "environmentfile":
            with contextlib.suppress(OSError):
                environment_file(scene.read(value.strip().lstrip("-")), found)


def environment_file(text: str, found: Found) -> None:
    """Look into a file of `NAME=value`."""
    for line in text.splitlines():
        name, _, value = line.strip().removeprefix("export ").partition("=")
        found.pair(name.strip(), value.strip().strip("\"'"))


def from_processes(scene: Scene, board: Board, found: Found) -> None:
    """Look into the environments of the processes of OPMAS and its agents."""
    for path, _ in our_processes(scene, board):
        with contextlib.suppress(OSError):
            environ = (path / "environ").read_bytes().decode(errors="backslashreplace")
            for assignment in environ.split("\0"):
                name, _, value = assignment.partition("=")
                found.pair(name, value)


def from_credentials(scene: Scene, found: Found) -> None:
    """Look into what systemd handed to services as credentials; config.json is seen elsewhere."""
    for path in scene.path("/run/credentials").glob("opmas*/*"):
        if path.name == "config.json":
            continue
        with contextlib.suppress(OSError):
            found.value(read_text(path, LONGEST).strip())


def from_settings(scene: Scene, found: Found) -> None:
    """Look into opmas.yaml, api.yaml and the environment of this command."""
    for name in ("opmas.yaml", "api.yaml"):
        with contextlib.suppress(Exception):  # the part about settings says what is wrong
            for key, value in named_leaves(read_config(scene.path(scene.config_dir), name)):
                found.pair(key, value)
    for key, value in scene.environ.items():
        found.pair(key, value)


def named_leaves(document: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield texts and numbers with the secret name that they stand under, if there is one."""
    if depth > DEPTH:
        return
    if isinstance(document, dict):
        for key, item in document.items():
            below = str(key) if is_secret_name(str(key)) else name
            yield from named_leaves(item, below, depth + 1)
    elif isinstance(document, list | tuple):
        for item in document:
            yield from named_leaves(item, name, depth + 1)
    elif name and isinstance(document, str | int | float) and not isinstance(document, bool):
        yield name, str(document)


def secret_values(value: object, hidden: object) -> Iterator[str]:
    """Yield the texts of the value where the other, without secrets, hides something."""
    if hidden == HIDDEN and value != HIDDEN:
        yield from _strings(value)
    elif isinstance(value, dict) and isinstance(hidden, dict):
        for key, item in value.items():
            yield from secret_values(item, hidden.get(key))
    elif isinstance(value, list | tuple) and isinstance(hidden, list | tuple):
        for item, other in zip(value, hidden, strict=False):
            yield from secret_values(item, other)


def _strings(value: object) -> Iterator[str]:
    below: Iterable[object] = ()
    if isinstance(value, dict):
        below = value.values()
    elif isinstance(value, list | tuple):
        below = value
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
    for item in below:
        yield from _strings(item)


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()


def from_database(scene: Scene, found: Found, until: float) -> Iterator[str]:
    """Look for secrets in the configurations that agents have and had; yield what went wrong."""
    path = scene.state / "manager.db"
    try:
        with contextlib.closing(connect(path, until)) as connection:
            for query in (
                "SELECT spec FROM agents",
                "SELECT document FROM changes ORDER BY id DESC LIMIT 1000",
            ):
                for (text,) in connection.execute(query):
                    found.document(json.loads(text))
            for package, text in connection.execute(
                "SELECT json_extract(a.spec, '$.package'), c.config FROM configs c"
                " LEFT JOIN agents a ON a.name = c.agent ORDER BY c.version DESC LIMIT 5000"
            ):
                found.config(json.loads(text), package)
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        yield f"{path} cannot be read ({error}): its pages were searched for secrets instead"
        for each in (path, path.with_name(f"{path.name}-wal")):
            with contextlib.suppress(OSError):  # the first message has said it
                raw_values(each, found, RAW)


def raw_values(path: Path, found: Found, limit: int) -> None:
    """Look into a file that no program reads any more, such as a damaged database. OSError."""
    marked = {
        written.replace("[]", "").rpartition(".")[2]
        for schemas in (found.schemas or {}).values()
        for schema in schemas
        for written in secret_paths(schema)
    }
    with path.open("rb") as file:
        content = file.read(limit)
    for match in MEMBER.finditer(content):
        name = match[1].decode(errors="replace")
        with contextlib.suppress(ValueError):
            value = str(json.loads(b'"' + match[2] + b'"'))
            if name in marked:
                found.value(value)
            found.pair(name, value)
