"""Starts prometheus-node-exporter with the agent's configuration, and becomes it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .host_view import PROC, left_out, make_procfs
from .listening import hand_over, listen, say_ready
from .program import arguments, check_collectors, collectors_of
from .settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

EX_CONFIG: Final = 78  # an agent that ends with it is not started again until its config changes
ADDRESS: Final = "address"  # in the state directory: where the health check finds the exporter


def main(argv: list[str]) -> int:
    """Become the program named by the one argument; return only when that cannot be."""
    if len(argv) != 1:
        sys.stderr.write("usage: node-exporter PROGRAM\n")
        return 2
    (program,) = argv
    try:
        settings = read_settings(read_config(os.environ))
        known = collectors_of(program)
        check_collectors(settings, known)
    except SettingsError as error:
        for problem in error.problems:
            _say(f"cannot use the configuration: {problem}")
        return EX_CONFIG
    except OSError as error:
        _say(f"cannot ask {program} for its collectors: {error}")
        return 1
    return become(program, [*arguments(settings, known), *view()], settings)


def become(program: str, words: list[str], settings: Settings) -> int:
    """Become the program, with the socket that it serves open; return only when that cannot be."""
    try:
        listening = listen(settings.address, settings.port)
    except OSError as error:
        _say(f"cannot listen on {settings.listen}: {os.strerror(error.errno or 0)}")
        return 1
    _leave_address(settings.reached_at, os.environ)
    say_ready(os.environ.get("NOTIFY_SOCKET"))
    environment = {**os.environ, **hand_over(listening)}
    try:
        os.execve(program, [program, *words], environment)  # noqa: S606 - words, and no shell
    except OSError as error:
        _say(f"cannot run {program}: {error.strerror}")
        return 1


def view() -> list[str]:
    """Return the arguments by which the exporter sees the host's mounts, not the sandbox's."""
    runtime = os.environ.get("RUNTIME_DIRECTORY")
    procfs = make_procfs(Path(runtime) if runtime else None)
    pattern = left_out(Path("/"), has_tables=procfs != PROC)
    return [f"--path.procfs={procfs}", f"--collector.filesystem.mount-points-exclude={pattern}"]


def read_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what systemd's credential, else $OPMAS_AGENT_CONFIG, has under `config`."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    path = f"{credentials}/config.json" if credentials else environ.get("OPMAS_AGENT_CONFIG")
    if path is None:
        return {}
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError([f"cannot read {path}: {error}"]) from error
    if not isinstance(config, dict):
        raise SettingsError([f"cannot read {path}: config must be an object"])
    return config


def _leave_address(address: str, environ: Mapping[str, str]) -> None:
    """Write down where the health check asks; it does not see the configuration."""
    directory = environ.get("STATE_DIRECTORY")
    if directory:
        new = Path(directory, f"{ADDRESS}.new")
        new.write_text(f"{address}\n", encoding="ascii")
        new.replace(Path(directory, ADDRESS))


def _say(line: str) -> None:
    prefix = "<3>" if "JOURNAL_STREAM" in os.environ else ""
    sys.stderr.write(f"{prefix}{line}\n")
