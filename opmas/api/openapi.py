"""The contract of the API, `openapi.yaml`, in one document, and `/v1/openapi.json`.

The files of the contract are written for people: they refer to each other. Here they become one:
paths stand in place, and all else that is referred to is among the components.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Response, request

from opmas.api.documents import read_query
from opmas.packages.yamlfile import read_yaml

if TYPE_CHECKING:
    from opmas.api.context import Api

CONTRACT: Final = Path(__file__).parent / "openapi.yaml"
_published: list[tuple[bytes, str]] = []
_publishing = threading.Lock()


def show(api: Api) -> Response:  # noqa: ARG001 - as all handlers
    """Answer GET: the contract, or 304 to who has it."""
    read_query({})
    text, tag = _publication()
    answer = Response(text, mimetype="application/json")
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "no-cache"  # kept, and asked for again each time
    answer.make_conditional(request)
    return answer


def contract() -> dict[str, Any]:
    """Return the contract as one document."""
    return _Bundle().document()


def _publication() -> tuple[bytes, str]:
    """Return the contract as JSON, made at the first request for it, and its tag."""
    with _publishing:
        if not _published:
            text = json.dumps(contract(), separators=(",", ":")).encode() + b"\n"
            _published.append((text, hashlib.sha256(text).hexdigest()[:32]))
        return _published[0]


class _Bundle:
    """Takes what is referred to from the files, each once."""

    def __init__(self) -> None:
        self._files: dict[Path, dict[str, Any]] = {}
        self._components: dict[str, dict[str, Any]] = {}

    def document(self) -> dict[str, Any]:
        document = self._file(CONTRACT)
        self._components = document["components"]
        for path, item in document["paths"].items():
            file, (name,) = _target(item["$ref"], CONTRACT)
            document["paths"][path] = self._bundled(self._file(file)[name], file)
        return document

    def _bundled(self, value: Any, file: Path) -> Any:
        """Return the value of that file with references to the components."""
        if isinstance(value, list):
            return [self._bundled(item, file) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return {"$ref": self._component(value["$ref"], file)}
        return {key: self._bundled(item, file) for key, item in value.items()}

    def _component(self, reference: str, file: Path) -> str:
        target, (section, name) = _target(reference, file)
        known = self._components.setdefault(section, {})
        if name not in known:
            known[name] = None  # holds its place: a schema may refer to itself
            known[name] = self._bundled(self._file(target)[section][name], target)
        return f"#/components/{section}/{name}"

    def _file(self, path: Path) -> dict[str, Any]:
        if path not in self._files:
            self._files[path] = cast("dict[str, Any]", read_yaml(path))
        return self._files[path]


def _target(reference: str, file: Path) -> tuple[Path, list[str]]:
    """Return the file that is referred to, and the names that lead to the place in it."""
    path, _, pointer = reference.partition("#/")
    return (file.parent / path if path else file), pointer.split("/")
