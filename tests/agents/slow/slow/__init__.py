"""Starts slowly."""

import time

from opmas.agent import BaseAgent

STEP = 0.25


class Slow(BaseAgent):
    """Takes its time in setup()."""

    def setup(self):
        """Take the seconds that the configuration says, step by step."""
        for step in range(int(self.config["seconds"] / STEP)):
            if self.config["says_so"]:
                self.progress(f"step {step}" if step % 4 == 0 else "")
            time.sleep(STEP)
