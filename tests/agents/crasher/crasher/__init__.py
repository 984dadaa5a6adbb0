"""Crashes on time."""

import os

from opmas.agent import BaseAgent


class Crasher(BaseAgent):
    """Ends as its configuration says, with no farewell."""

    def run(self):
        """Wait, and end."""
        if not self.wait(self.config["after"]):
            return
        if self.config["signal"]:
            os.kill(os.getpid(), self.config["signal"])
        os._exit(self.config["code"])
