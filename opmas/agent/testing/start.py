"""Runs an agent as `python3 -m opmas.agent` does, but lets it report more often.

`python3 start.py SECONDS [--path DIR] module:Class`: the defaults of health_interval and
metrics_interval are SECONDS; what the agent's class says of them holds. Run by its path, so that
nothing else of opmas.agent.testing is in the agent's process.
"""

from __future__ import annotations

import sys

from opmas.agent.__main__ import main
from opmas.agent.base import BaseAgent

if __name__ == "__main__":
    BaseAgent.health_interval = BaseAgent.metrics_interval = float(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
