"""`python3 -sP -m opmas.agent.hook --path DIR module:function`: run one hook of a package.

The function gets the agent's configuration; a migration also the version that wrote the data and
the one that is to read it:

    def check(config: dict) -> None: ...
    def migrate(config: dict, from_version: str, to_version: str) -> None: ...

It raises what an agent raises. Exit code 0: done; 78: another attempt would end the same
(`ConfigError`, `FatalError`); 1: any other error.
"""

from __future__ import annotations

import logging
import os
import sys

from opmas.agent.entry import EntryError, load_entry
from opmas.agent.errors import EXIT_BUG, EXIT_FATAL, EXIT_OK, AgentError, Kind
from opmas.agent.journal import log_to
from opmas.agent.settings import read_settings

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

logger = logging.getLogger("opmas.agent")

USAGE = "usage: python3 -m opmas.agent.hook [--path DIR] module:function"
_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect itself costs 1.5 MB


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Run the hook that the arguments name and return the exit code."""
    path = ""
    if arguments[:1] == ["--path"]:
        path, arguments = "".join(arguments[1:2]), arguments[2:]
    log_to("opmas-hook", environ)
    if len(arguments) != 1 or arguments[0].startswith("-"):
        logger.error("%s", USAGE)
        return EXIT_FATAL
    try:
        settings = read_settings(environ)
        log_to(settings.agent or "opmas-hook", environ)
        hook = load_entry(path, arguments[0])
    except EntryError as error:
        logger.error("%s", error, exc_info=error.bug)  # noqa: TRY400 - the bug's traceback, if any
        return EXIT_BUG if error.bug else EXIT_FATAL
    except AgentError as error:
        logger.error("cannot run %s: %s", arguments[0], error)  # noqa: TRY400 - no bug of the code
        return EXIT_FATAL
    if not callable(hook):
        logger.error("cannot run %s: it is no function", arguments[0])
        return EXIT_FATAL
    return _run(arguments[0], hook, (settings.config, *_versions(environ)))


def _versions(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = ("OPMAS_FROM_VERSION", "OPMAS_TO_VERSION")
    return tuple(environ[name] for name in names if name in environ)


def _run(name: str, hook: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
    try:
        if getattr(getattr(hook, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
            import asyncio  # noqa: PLC0415 - it costs 8 MB: only who uses it

            asyncio.run(hook(*arguments))
        else:
            hook(*arguments)
    except AgentError as error:
        logger.error("%s: %s", name, error)  # noqa: TRY400 - foreseen by the author
        return EXIT_FATAL if error.kind is Kind.FATAL else EXIT_BUG
    except Exception as error:
        logger.exception("%s: %s", name, type(error).__name__)
        return EXIT_BUG
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
