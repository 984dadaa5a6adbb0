"""`python3 -m opmas.manager`: the manager in the foreground, as systemd runs it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from opmas.core.documents.settings import parse_settings
from opmas.errors import ConfigError, OpmasError
from opmas.manager.service import Manager
from opmas.packages.yamlfile import read_config
from opmas.systemd.client import SystemdUnits
from opmas.systemd.notify import Notifier
from opmas.version import VERSION

if TYPE_CHECKING:
    from opmas.core.documents.settings import Settings

EX_CONFIG = 78


class PriorityFormatter(logging.Formatter):
    """Lines as journald reads them from a service: `<N>` is the priority, sd-daemon(3)."""

    PRIORITIES = {  # noqa: RUF012 -- a constant table
        logging.DEBUG: 7,
        logging.INFO: 6,
        logging.WARNING: 4,
        logging.ERROR: 3,
        logging.CRITICAL: 2,
    }

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines, each with its priority."""
        prefix = f"<{self.PRIORITIES.get(record.levelno, 5)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines() or [""])


def main() -> int:
    """Run the manager; the exit status is for systemd."""
    arguments = _arguments()
    try:
        document = read_config(arguments.config, "opmas.yaml")
        settings = parse_settings(document, os.environ, where=str(arguments.config / "opmas.yaml"))
    except ConfigError as error:
        for problem in (error.message, *error.problems):
            print(f"opmas-manager: {problem}", file=sys.stderr)  # noqa: T201 -- no log yet
        return EX_CONFIG
    _log(str(settings.manager.log_level))
    try:
        asyncio.run(_serve(settings))
    except OpmasError:
        logging.getLogger(__name__).exception("cannot go on")
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    async with SystemdUnits() as units:
        await Manager(settings, units, Notifier()).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="opmas-manager",
        description="Manage the agents of this host; run by opmas-manager.service.",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/opmas"), metavar="DIR",
        help="directory of opmas.yaml (default: %(default)s); OPMAS_SECTION_KEY overrides a key",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser.parse_args()


def _log(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(PriorityFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
