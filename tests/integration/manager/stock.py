"""Bundles to install, built and signed by the real code, once for all tests that want the same."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.bundles import installation
from opmas.bundles.build import build_bundle
from opmas.bundles.minisign import SecretKey
from opmas.bundles.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = SecretKey(b"12345678", bytes(range(32)))
SCHEMA = {
    "type": "object",
    "properties": {"naps": {"type": "integer"}},
    "additionalProperties": False,
}


@functools.cache
def stock() -> Path:
    """Return the directory that this process keeps them in, and that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="opmas-stock-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def bundle(
    name: str = "snore", version: str = "1.0.0", *, signed: bool = True, **keys: Any
) -> Path:
    """Return the bundle of an exec package, or another runtime; `keys` go into its agent.yaml."""
    return _built(name, version, signed, json.dumps(keys, sort_keys=True))


def trust(folder: Path) -> None:
    """Have a host trust the key that the bundles are signed with."""
    if not folder.exists():
        TrustStore(folder).add(KEY.public, "tester")


def install(packages: Path, *versions: str, name: str = "snore", **keys: Any) -> None:
    """Put versions where an installation puts them."""
    for version in versions:
        found = _installed(name, version, "", json.dumps(keys, sort_keys=True))
        _copy(found / name / version, packages / name / version)


def deliver(packages: Path, version: str, *, name: str = "snore", **keys: Any) -> None:
    """Put a version there as one that a Debian package delivered."""
    deb = f"deb:opmas-agent-{name}"
    found = _installed(name, version, deb, json.dumps(keys, sort_keys=True))
    _copy(found / name / version, packages / name / version)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target)


@functools.cache
def _built(name: str, version: str, signed: bool, keys: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=stock()))
    directory = folder / name
    (directory / "bin").mkdir(parents=True)
    program = directory / "bin" / name
    program.write_text(f"#!/bin/sh\n# {version}\nexec sleep infinity\n")
    program.chmod(0o755)
    (directory / f"{name}.py").write_text("class Agent:\n    pass\n")
    given = _mapping(keys)
    runs = {"entry": f"{name}:Agent"} if "runtime" in given else {"command": [f"./bin/{name}"]}
    document = {
        "api": "opmas.agent/v1",
        "name": name,
        "version": version,
        "summary": "Sleeps",
        "runtime": "exec",
        **runs,
        "config": {"schema": SCHEMA, "defaults": {"naps": 1}},
        **given,
    }
    (directory / "agent.yaml").write_text(json.dumps(document))
    return build_bundle(directory, folder / "out", secret_key=KEY if signed else None)


@functools.cache
def _installed(name: str, version: str, delivered_by: str, keys: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=stock()))
    trust(folder / "keys")
    place = installation.Place(root=folder / "packages", trusted_keys=folder / "keys")
    path = _built(name, version, signed=True, keys=keys)
    installation.install(path, place=place, delivered_by=delivered_by)
    return folder / "packages"


def _mapping(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found
