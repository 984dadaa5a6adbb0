"""What an agent is told at its start: its name and its configuration."""

from __future__ import annotations

import json

from opmas.agent.errors import ConfigError

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SOCKET = "/run/opmas/agent.sock"


class Settings:
    """Name, package and configuration of this agent; `version` None: nobody numbered it."""

    __slots__ = ("agent", "config", "package", "version")

    def __init__(
        self,
        agent: str = "",
        package: str = "",
        version: int | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        self.agent = agent
        self.package = package
        self.version = version
        self.config = config or {}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings of this process, or raise `ConfigError` naming the file and the fault.

    systemd's credential first, then $OPMAS_AGENT_CONFIG, else an empty configuration.
    """
    paths = []
    if "CREDENTIALS_DIRECTORY" in environ:
        paths.append((environ["CREDENTIALS_DIRECTORY"] + "/config.json", True))
    if "OPMAS_AGENT_CONFIG" in environ:
        paths.append((environ["OPMAS_AGENT_CONFIG"], False))
    for path, may_be_absent in paths:
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 0.5 MB
                text = file.read()
        except FileNotFoundError as error:
            if may_be_absent:
                continue
            raise ConfigError(f"cannot read {path}: {error.strerror}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {path}: {error}") from error
        return parse_settings(text, path)
    return Settings()


def parse_settings(text: str, path: str) -> Settings:
    """Return the settings that the file's text holds."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"cannot read {path}: must be a JSON object")
    config = document.get("config", {})
    version = document.get("version")
    if not isinstance(config, dict):
        raise ConfigError(f"cannot read {path}: config: must be an object")
    if version is not None and not isinstance(version, int):
        raise ConfigError(f"cannot read {path}: version: must be a whole number")
    return Settings(
        str(document.get("agent", "")), str(document.get("package", "")), version, config
    )
