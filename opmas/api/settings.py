"""Settings of the Management API: the section `api` of api.yaml, overridden by `OPMAS_API_*`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opmas.client.control import DEFAULT_SOCKET
from opmas.core.documents import fields
from opmas.core.documents.settings import LogLevel, parse_sections, read_by
from opmas.core.documents.sizes import size
from opmas.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTEN: Final = re.compile(
    r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}|unix:/[!-~]+"  # gunicorn's own notation
)
LISTEN_RULE: Final = 'must be HOST:PORT, [IPV6]:PORT or unix:/PATH, such as "127.0.0.1:8420"'


@dataclass(frozen=True, slots=True)
class ApiSection:
    """Where the API listens and keeps its state, and how many clients it serves at once."""

    listen: str = field(
        default="127.0.0.1:8420", metadata=read_by(fields.matching(LISTEN, LISTEN_RULE))
    )
    threads: int = field(default=64, metadata=read_by(fields.integer(4, 1024)))
    waiting: int = field(default=48, metadata=read_by(fields.integer(1, 1000)))
    manager_socket: str = field(default=DEFAULT_SOCKET, metadata=read_by(fields.absolute_path))
    manager_timeout: float = field(default=10.0, metadata=read_by(fields.number(0.1, 60)))
    database: str = field(
        default="/var/lib/opmas-api/api.db", metadata=read_by(fields.absolute_path)
    )
    upload_dir: str = field(
        default="/var/lib/opmas-api/uploads", metadata=read_by(fields.absolute_path)
    )
    upload_limit: int = field(default=1 << 30, metadata=read_by(size(1 << 20, 1 << 40)))
    log_level: LogLevel = field(default=LogLevel.INFO, metadata=read_by(fields.one_of(LogLevel)))


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """All of api.yaml."""

    api: ApiSection = ApiSection()


def parse_api_settings(
    document: object, environ: Mapping[str, str], *, where: str = "api.yaml"
) -> ApiSection:
    """Return the API's settings, or raise `ConfigError` that names every fault."""
    found = parse_sections(ApiSettings, document, environ, where=where).api
    if found.waiting >= found.threads:
        raise ConfigError(
            f"cannot read {where}: api.waiting: must be less than api.threads"
            f" ({found.threads}), not {found.waiting}: else waiting clients leave no thread"
            " for others"
        )
    return found
