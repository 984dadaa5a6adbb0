"""`python3 -m opmas.work ID`: one job, in opmas-package@ID.service or opmas-apt@ID.service.

Ends with 0 when result.json was written, whatever is in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path

from opmas.core import job as jobs
from opmas.core.documents.settings import Settings, parse_settings
from opmas.errors import ConfigError
from opmas.packages.yamlfile import read_config
from opmas.version import VERSION
from opmas.work.stop import listen_for_stop
from opmas.work.worker import work

EX_CONFIG = 78


def main() -> int:
    """Do the job; the exit status is for systemd."""
    arguments = _arguments()
    if not jobs.ID.fullmatch(arguments.id):
        return _refuse(f"cannot do the job {arguments.id!r}: a job is named like 17-2")
    try:
        settings = _settings(arguments)
    except ConfigError as error:
        return _refuse(error.message, *error.problems)
    listen_for_stop()
    try:
        work(arguments.id, settings)
    except OSError as error:
        print(f"<3>cannot write down what came of the job: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    document = read_config(arguments.config, "opmas.yaml")
    where = str(arguments.config / "opmas.yaml")
    settings = parse_settings(document, os.environ, where=where)
    if arguments.state is None:
        return settings
    manager = dataclasses.replace(settings.manager, state_dir=str(arguments.state))
    return dataclasses.replace(settings, manager=manager)


def _refuse(*lines: str) -> int:
    for line in lines:
        print(f"<3>{line}", file=sys.stderr)  # noqa: T201 -- the journal
    return EX_CONFIG


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="opmas-package",
        description="Do one job of the manager's, as opmas-package@ID.service does.",
    )
    parser.add_argument("id", metavar="ID", help="the job, a directory below STATE/jobs")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="the state directory, instead of the settings'"
    )
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/opmas"), metavar="DIR",
        help="directory of opmas.yaml (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
