"""Stands still after some rounds or an event; its loop turns on when a worker does the work."""

import os
import time
from pathlib import Path

from opmas.agent import BaseAgent

ROUND = 0.2


class Stuck(BaseAgent):
    """Works in a thread, or in run(), until it does not."""

    interval = ROUND

    def setup(self):
        """Count this life and start the work."""
        self.lives = self.count_life()
        self.rounds = 0
        self.told = False
        if self.config["where"] == "worker":
            self.worker("work", self.work)

    def run(self):
        """Do one round, when it is not the worker's."""
        if self.config["where"] == "run":
            self.one_round()

    def on_event(self, event):
        """Take the event as the signal to stand still."""
        self.told = self.config["on_event"]

    def work(self):
        """Do round after round."""
        while self.wait(ROUND):
            self.one_round()

    def one_round(self):
        """Get on, or stand still for ever."""
        self.rounds += 1
        enough = 0 < self.config["rounds"] <= self.rounds
        alive_again = 0 < self.config["lives"] < self.lives
        while (enough or self.told) and not alive_again:
            time.sleep(3600)
        self.progress()

    def count_life(self):
        """Return how often it was started, this time included."""
        path = Path(os.environ.get("STATE_DIRECTORY", "/tmp")) / "lives"
        lives = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(lives))
        return lives
