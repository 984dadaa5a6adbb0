"""The configuration of the agent, checked; agent.yaml has its schema."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final

PORTS: Final = range(1024, 65_536)
COLLECTOR: Final = re.compile(r"[a-z][a-z0-9_]*")
DEFAULTS: Final[dict[str, Any]] = {
    "address": "127.0.0.1",
    "port": 9101,
    "collectors": {"enable": [], "disable": ["systemd", "timex"]},
    "textfile_directory": "/var/lib/prometheus/node-exporter",
}


class SettingsError(Exception):
    """The configuration cannot be used; `problems` names every fault with its path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the exporter listens, and what it collects."""

    address: str
    port: int
    enable: tuple[str, ...]
    disable: tuple[str, ...]
    textfile_directory: str

    @property
    def listen(self) -> str:
        """Where it listens, as HOST:PORT."""
        return _host_and_port(self.address, self.port)

    @property
    def reached_at(self) -> str:
        """Where it is reached from this host, as HOST:PORT."""
        address = ipaddress.ip_address(self.address)
        loopback = {4: "127.0.0.1", 6: "::1"}[address.version]
        return _host_and_port(loopback if address.is_unspecified else self.address, self.port)


def read_settings(config: dict[str, Any]) -> Settings:
    """Return the settings, or raise `SettingsError`; what is not set has its default."""
    problems = [
        f"{key}: no such setting; there is {', '.join(DEFAULTS)}"
        for key in config
        if key not in DEFAULTS
    ]
    values = {**DEFAULTS, **config}
    collectors = values["collectors"]
    if not isinstance(collectors, dict) or set(collectors) - {"enable", "disable"}:
        problems.append("collectors: must be an object with enable and disable")
        collectors = {}
    settings = Settings(
        address=_address(values["address"], problems),
        port=_port(values["port"], problems),
        enable=_names("enable", collectors, problems),
        disable=_names("disable", collectors, problems),
        textfile_directory=_directory(values["textfile_directory"], problems),
    )
    if problems:
        raise SettingsError(problems)
    return settings


def _address(value: object, problems: list[str]) -> str:
    try:
        if isinstance(value, str):
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    problems.append(f"address: must be an IP address like 127.0.0.1, not {value!r}")
    return "127.0.0.1"


def _port(value: object, problems: list[str]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in PORTS:
        return value
    problems.append(f"port: must be a whole number from {PORTS[0]} to {PORTS[-1]}, not {value!r}")
    return PORTS[0]


def _names(key: str, collectors: dict[str, Any], problems: list[str]) -> tuple[str, ...]:
    names = collectors.get(key, DEFAULTS["collectors"][key])
    if not isinstance(names, list):
        problems.append(f"collectors.{key}: must be a list, not {names!r}")
        return ()
    wrong = [name for name in names if not isinstance(name, str) or not COLLECTOR.fullmatch(name)]
    problems += [
        f"collectors.{key}: must be names of collectors like cpu, not {each!r}" for each in wrong
    ]
    return () if wrong else tuple(dict.fromkeys(names))


def _directory(value: object, problems: list[str]) -> str:
    if isinstance(value, str) and value.startswith("/") and value.isprintable():
        return value
    problems.append(f"textfile_directory: must be an absolute path, not {value!r}")
    return "/"


def _host_and_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
