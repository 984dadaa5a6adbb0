"""`python3 -m opmas.agent --path DIR module:Class`: run one agent as this process."""

from __future__ import annotations

import os
import sys

from opmas.agent.base import BaseAgent
from opmas.agent.entry import EntryError, load_entry
from opmas.agent.errors import EXIT_BUG, EXIT_FATAL
from opmas.agent.journal import log_to
from opmas.agent.process import refuse_start, run_process

USAGE = """\
usage: python3 -m opmas.agent [--path DIR] module:Class

Run one agent as this process. systemd does this for each opmas-agent@NAME.service; by hand it
serves to try an agent:

    OPMAS_AGENT_CONFIG=config.json python3 -m opmas.agent --path . web:Web

  --path DIR     the agent package's directory, where the module is looked for first;
                 then in DIR/.opmas/site, where the libraries installed with it are
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
    try:
        cls = load_entry(path, entry)
    except EntryError as error:
        return refuse_start(str(error), EXIT_BUG if error.bug else EXIT_FATAL, error.bug)
    if not (isinstance(cls, type) and issubclass(cls, BaseAgent)):
        class_name = entry.partition(":")[2]
        return refuse_start(f"cannot run {entry}: {class_name!r} is no subclass of BaseAgent")
    return cls


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
