"""`python3 -m opmas.api`: serve the Management API, or manage its tokens."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.api import logs, token_command
from opmas.api.settings import ApiSection, parse_api_settings
from opmas.errors import ConfigError, InvalidError, OpmasError
from opmas.packages.yamlfile import read_config
from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG: Final = Path("/etc/opmas")
EX_CONFIG: Final = 78  # sysexits(3)

DESCRIPTION = """\
Serve the Management API of OPMAS: REST and server-sent events over HTTP.

Under systemd it serves the sockets of opmas-api.socket, else the address `listen` of api.yaml.
Every request but GET /v1/health needs a token: `opmas token create --name NAME` makes one.
"""
EPILOG = """\
Every key of api.yaml can be set in the environment too: OPMAS_API_LISTEN=127.0.0.1:8421.

exit status: 0 done; 1 it failed; 2 wrong arguments; 78 the configuration is wrong
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        settings = read_settings(arguments.config)
        if arguments.command == "token":
            token_command.run(arguments, settings.database)
        else:
            _serve(settings)
    except OpmasError as error:
        return _failed(error)
    return 0


def read_settings(directory: Path) -> ApiSection:
    """Return the settings of the directory's api.yaml and of the environment."""
    # A machine with a checkout alone has no /etc/opmas; any other directory must be there.
    is_absent = directory == CONFIG and not directory.exists()
    document = None if is_absent else read_config(directory, "api.yaml")
    return parse_api_settings(document, os.environ, where=str(directory / "api.yaml"))


def _serve(settings: ApiSection) -> None:
    from opmas.api.server import Server  # noqa: PLC0415 - `token` needs no gunicorn and no Flask

    os.umask(0o077)
    logs.begin(settings.log_level)
    Server(settings).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opmas-api",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=CONFIG,
        metavar="DIR",
        help=f"directory of api.yaml (default: {CONFIG})",
    )
    parser.add_argument("--version", action="version", version=f"opmas-api {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    token = commands.add_parser("token", help="make, list and revoke tokens")
    token_command.add_arguments(token)
    return parser


def _failed(error: OpmasError) -> int:
    print(f"opmas-api: {error.message}", file=sys.stderr)  # noqa: T201 - this is a command
    for line in error.problems:
        print(f"  {line}", file=sys.stderr)  # noqa: T201 - this is a command
    if isinstance(error, ConfigError):
        return EX_CONFIG
    return 2 if isinstance(error, InvalidError) else 1


if __name__ == "__main__":
    sys.exit(main())
