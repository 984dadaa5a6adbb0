"""`python3 -m opmas.agent --path DIR module:Class`: run one agent as this process."""

from __future__ import annotations

import os
import sys

from opmas.agent.base import BaseAgent
from opmas.agent.errors import EXIT_BUG
from opmas.agent.journal import log_to
from opmas.agent.process import refuse_start, run_process

USAGE = """\
usage: python3 -m opmas.agent [--path DIR] module:Class

Run one agent as this process. systemd does this for each opmas-agent@NAME.service; by hand it
serves to try an agent:

    OPMAS_AGENT_CONFIG=config.json python3 -m opmas.agent --path . web:Web

  --path DIR     the agent package's directory, where the module is looked for first
  module:Class   the agent's class, as `entry:` in its agent.yaml

environment:
  OPMAS_AGENT_CONFIG   a file {"config": {...}}; under systemd $CREDENTIALS_DIRECTORY/config.json
  OPMAS_AGENT_SOCKET   the manager's socket (/run/opmas/agent.sock); it may be absent
  OPMAS_LOG_LEVEL      DEBUG, INFO (default), WARNING or ERROR

exit codes: 0 stopped, 1 a bug (systemd starts it again), 78 it cannot work as it is configured
"""


def main(arguments: list[str]) -> int:
    """Run the agent that the arguments name; return only when that is not possible."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    path = ""
    if arguments[:1] == ["--path"]:
        path, arguments = "".join(arguments[1:2]), arguments[2:]
    log_to("opmas-agent", os.environ)
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return refuse_start("cannot run an agent: give one module:Class, see --help")
    return _run(path, arguments[0])


def _run(path: str, entry: str) -> int:
    cls = _found(path, entry)
    return cls if isinstance(cls, int) else run_process(cls)


def _found(path: str, entry: str) -> type[BaseAgent] | int:
    module_name, _, class_name = entry.partition(":")
    if path:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs 0.5 MB
            return refuse_start(f"cannot run {entry}: {path} is no directory")
        sys.path.insert(0, path)
    try:
        __import__(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            return refuse_start(f"cannot run {entry}: no module {error.name!r} in {path or '.'}")
        return _broken(entry, error)
    except Exception as error:  # noqa: BLE001 - whatever the author's module raises ends here
        return _broken(entry, error)
    cls = getattr(sys.modules[module_name], class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, BaseAgent)):
        return refuse_start(f"cannot run {entry}: {class_name!r} is no subclass of BaseAgent")
    return cls


def _broken(entry: str, error: Exception) -> int:
    what = f"cannot import {entry}: {type(error).__name__}: {error}"
    return refuse_start(what, EXIT_BUG, error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
