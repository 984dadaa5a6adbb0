"""The package that an agent under test is made from: what its agent.yaml says.

Only what a test needs of it is read, and it is read leniently: `opmas bundle check` names every
fault. PyYAML and jsonschema are an author's tools and not the SDK's: they are asked for by name
when they are needed.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opmas.agent.testing.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MANIFEST: Final = "agent.yaml"
TIMEOUTS: Final = {"start": 30.0, "stop": 15.0, "migrate": 300.0}
WATCHDOG: Final = {"python": 10.0, "exec": 0.0}
INSTALL: Final = "apt install {debian}, or pip install 'opmas[testing]'"


@dataclass(frozen=True, slots=True)
class Package:
    """What of an agent.yaml a test needs."""

    directory: Path
    name: str
    runtime: str
    entry: str = ""
    command: tuple[str, ...] = ()
    notifies: bool = True
    schema: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    subscribes: tuple[str, ...] = ()
    health_check: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, Any] = field(default_factory=dict)
    start: float = TIMEOUTS["start"]
    stop: float = TIMEOUTS["stop"]
    migrate: float = TIMEOUTS["migrate"]
    watchdog: float = 0.0

    def program(self, command: Sequence[str]) -> list[str]:
        """Return the command with the path of its program."""
        first = command[0]
        if first.startswith("./"):
            first = str(self.directory / first)
        return [first, *map(str, command[1:])]


def find_package(start: Path) -> Path:
    """Return the directory with an agent.yaml that is nearest above, or raise `SetupError`."""
    for directory in (start, *start.parents):
        if (directory / MANIFEST).is_file():
            return directory
    raise SetupError(
        f"cannot find the agent's package: no {MANIFEST} in {start} or above;"
        " name its directory: opmas_agent(package=...)"
    )


def read_package(directory: Path) -> Package:
    """Return the package in the directory, or raise `SetupError`."""
    path = directory / MANIFEST
    yaml = _needed("yaml", "python3-yaml", f"read {path}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _package(directory.resolve(), document)
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SetupError(f"cannot read {path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SetupError(
            f"cannot use {path}: {type(error).__name__}: {error}; `opmas bundle check` says more"
        ) from error


def config_problems(package: Package, config: Mapping[str, Any]) -> list[str]:
    """Return what in the whole configuration the package's schema refuses, as `path: reason`."""
    if not package.schema:
        return []
    try:
        jsonschema = importlib.import_module("jsonschema")
    except ImportError:
        hint = INSTALL.format(debian="python3-jsonschema")
        warnings.warn(
            f"configurations are not held against config.schema of {package.name}:"
            f" jsonschema is not installed: {hint}",
            stacklevel=2,
        )
        return []
    draft7 = "draft-07" in str(package.schema.get("$schema", ""))
    kind = jsonschema.Draft7Validator if draft7 else jsonschema.Draft202012Validator
    errors = kind(package.schema).iter_errors(config)
    return sorted(
        f"{'.'.join(['config', *map(str, error.absolute_path)])}: {error.message}"
        for error in errors
    )


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults, overridden key by key."""
    whole = dict(defaults)
    for key, value in own.items():
        below = whole.get(key)
        nested = isinstance(below, dict) and isinstance(value, dict)
        whole[key] = merged(below or {}, value) if nested else value
    return whole


def _needed(module: str, debian: str, purpose: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = INSTALL.format(debian=debian)
        raise SetupError(f"cannot {purpose}: {error.name} is not installed: {hint}") from error


def _package(directory: Path, document: dict[str, Any]) -> Package:
    runtime = document["runtime"]
    config = document.get("config") or {}
    timeouts = {**TIMEOUTS, "watchdog": WATCHDOG[runtime], **(document.get("timeouts") or {})}
    return Package(
        directory,
        str(document["name"]),
        runtime,
        entry=document["entry"] if runtime == "python" else "",
        command=() if runtime == "python" else tuple(map(str, document["command"])),
        notifies=runtime == "python" or document.get("service") == "notify",
        schema=config.get("schema") or {},
        defaults=config.get("defaults") or {},
        subscribes=tuple((document.get("events") or {}).get("subscribes") or ()),
        health_check=document.get("health_check") or {},
        hooks=document.get("hooks") or {},
        start=float(timeouts["start"]),
        stop=float(timeouts["stop"]),
        migrate=float(timeouts["migrate"]),
        watchdog=float(timeouts["watchdog"]),
    )
