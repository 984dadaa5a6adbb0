"""An agent that serves: it counts its rounds, in a file of its data that outlives it.

The file `fault` beside this one names the way in which this version is bad, or is empty.
"""

import json
import os
import time
from pathlib import Path

from opmas.agent import BaseAgent, Health

from . import faults, outside  # noqa: TID252 -- installed, it is found under its own name

FAULT = Path(__file__).with_name("fault").read_text(encoding="ascii")
faults.while_imported(FAULT)


class Served(BaseAgent):
    """The agent; all that is bad about it is in `faults`."""

    interval = 0.5
    health_interval = 1.0

    def setup(self):
        self.began = time.monotonic()
        self.data = Path(os.environ["STATE_DIRECTORY"])
        self.fault = faults.make(FAULT, self)
        self.fault.setup()
        outside.must_be_there(self.config)
        self.state = load(self.data)
        self.rounds = self.metrics.counter("served_rounds_total", "rounds of its work")

    def run(self):
        self.fault.round(time.monotonic() - self.began)
        self.state["count"] += 1
        save(self.data, self.state)
        self.rounds.inc()

    def check_health(self):
        checks = outside.checks(self.config)
        return Health(checks=checks) if checks else self.fault.health()

    def teardown(self):
        self.fault.teardown()


def load(data):
    path = data / "state.json"
    return json.loads(path.read_text()) if path.exists() else {"count": 0, "note": "precious"}


def save(data, state):
    fresh = data / "state.json.new"
    fresh.write_text(json.dumps(state))
    fresh.replace(data / "state.json")


def migrate(config, from_version, to_version):
    data = Path(os.environ["STATE_DIRECTORY"])
    save(data, {**load(data), "note": f"migrated to {to_version}"})
    faults.while_migrated(FAULT, data)


def check(config):
    faults.while_checked(FAULT)
