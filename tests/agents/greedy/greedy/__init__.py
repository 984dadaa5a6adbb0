"""Never has enough."""

from opmas.agent import BaseAgent

MEGABYTE = 1024 * 1024


class Greedy(BaseAgent):
    """Takes memory each round and keeps it."""

    def setup(self):
        """Begin with nothing."""
        self.interval = self.config["interval"]
        self.hoard = []

    def run(self):
        """Take some more; written to, so that it counts."""
        self.hoard.append(b"x" * (self.config["megabytes"] * MEGABYTE))
