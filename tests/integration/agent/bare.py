"""An agent that imports nothing but the SDK, and tells what that cost."""

import sys

from opmas.agent import BaseAgent


class Teller(BaseAgent):
    """Tells its memory and its modules, once it is connected."""

    interval = 0.1

    def run(self):
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - no pathlib
            words = file.read().split()
        pss = int(words[words.index("Pss:") + 1])
        self.emit("told", pss=pss, modules=sorted(sys.modules))
