"""The part that runs on the measured host: `python3 -m tests.bench.inside`.

It prints one JSON object a line: {"say": text} for progress, {"figure": {...}} for a result.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from tests.bench.measures import (
    agent,
    churn,
    install,
    manager,
    reload,
    rest,
    start,
    still,
    update,
    usage,
)
from tests.bench.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.figure import Figure

# In this order: each finds the agents of the one before, and the host grows.
MEASURES: Final[dict[str, Callable[[Stage], Iterator[Figure]]]] = {
    "empty": manager.empty,
    "install": install.installs,
    "agent": agent.alone,
    "start-few": start.few,
    "memory": manager.memory,
    "memory-agents": agent.memory,
    "crash": agent.crash,
    "hang": agent.hang,
    "still": still.crash,
    "update": update.updates,
    "churn": churn.memory,
    "start-many": start.many,
    "list": rest.listing,
    "idle": churn.idle,
    "usage": usage.rounds,
    "crash-most": agent.crash_most,
    "restart": manager.restart,
    "reload": reload.reloads,
}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="tests.bench.inside")
    parser.add_argument("--few", type=int, required=True)
    parser.add_argument("--many", type=int, required=True)
    parser.add_argument("--most", type=int, required=True)
    parser.add_argument("names", nargs="+", choices=MEASURES)
    asked = parser.parse_args()
    stage = Stage(asked.few, asked.many, asked.most, lambda text: _print({"say": text}))
    for name in MEASURES:
        if name in asked.names:
            for figure in MEASURES[name](stage):
                _print({"figure": figure.document()})


def _print(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
