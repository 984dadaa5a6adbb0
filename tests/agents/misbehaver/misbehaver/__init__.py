"""Does what no agent should: which of it, when, and in how many lives, says its configuration."""

import os
import signal
import time
from pathlib import Path

from opmas.agent import BaseAgent, ConfigError

MEGABYTE = 1024 * 1024
FOR_EVER = 3600
LINES = 4000  # a round; some 20,000 a second
LINE = b"it is said again and again, and nobody wants to hear it\n"


class Misbehaver(BaseAgent):
    """Behaves until it is time; always, in the lives in which nothing is to be wrong."""

    interval = 0.2

    def setup(self):
        """Count this life, and do what is done at the start."""
        self.data = Path(os.environ["STATE_DIRECTORY"])
        self.kept = []  # what it leaks
        self.rounds = 0
        how, lives = self.config["how"], self.config["lives"]
        ill = lives == 0 or self.count_life() <= lives
        if ill and how in AT_START:
            AT_START[how](self)
        self.deed = IN_ROUNDS.get(how) if ill else None
        self.begins_at = time.monotonic() + self.config["after"]

    def run(self):
        """Do it, once it is time, round after round."""
        if self.deed and time.monotonic() >= self.begins_at:
            self.deed(self)

    def count_life(self):
        """Return how often it was started, this time included."""
        path = self.data / "lives"
        lives = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(lives))
        return lives


def crash(agent):
    """End with status 1, with no farewell."""
    os._exit(1)


def refuse(agent):
    """Say that another start would end the same."""
    raise ConfigError("there is no such server")


def start_slowly(agent):
    """Take longer than the start timeout, and say that it gets on."""
    for step in range(250):
        agent.progress(f"step {step}" if step % 10 == 0 else "")
        time.sleep(0.1)


def stand_still(agent):
    """Do nothing more, and never return."""
    time.sleep(FOR_EVER)


def ignore_sigterm(agent):
    """Hear no request to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def segfault(agent):
    """End by the signal that a fault in C ends with."""
    os.kill(os.getpid(), signal.SIGSEGV)


def exit_cleanly(agent):
    """End as if all were done."""
    agent.stop()


def livelock(agent):
    """Have a worker that tries the same again and again, while the loop turns."""

    def try_again():
        while True:
            time.sleep(0.01)

    agent.worker("work", try_again)
    agent.deed = None


def go_to_the_background(agent):
    """Do as daemons of old did: the work goes on in a child that nobody waits for."""
    escape()
    os._exit(0)


def fork_twice(agent):
    """Put a child out of the process tree and the session, and go on."""
    escape()
    agent.deed = None


def escape():
    """Leave a process behind that is nobody's child and hears no SIGTERM."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(FOR_EVER)


def make_zombies(agent):
    """Start children that end, and never ask how they ended; from 170 on one in 0.4 s: who looks
    every 5 s sees it close to its limit.
    """
    agent.rounds += 1
    few = len(agent.kept) >= 170
    if few and agent.rounds % 2:
        return
    for _ in range(1 if few else 10):
        child = os.fork()
        if child == 0:
            os._exit(0)
        agent.kept.append(child)


def fork_bomb(agent):
    """Start a child that starts children that start children, all of which hear no SIGTERM."""
    agent.deed = None
    if os.fork():
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(1)  # what is refused is tried again


def leak_descriptors(agent):
    """Open files and close none; less of them from 850 on."""
    files = 32 if len(agent.kept) < 850 else 2
    agent.kept += [os.open("/dev/null", os.O_RDONLY) for _ in range(files)]


def leak_memory(agent):
    """Take some memory more, less of it from 40 MB on; written to, so that it counts."""
    agent.kept.append(b"x" * (MEGABYTE if len(agent.kept) < 40 else MEGABYTE // 5))


def take_all_memory(agent):
    """Take more memory at once than it may."""
    agent.kept.append(b"x" * (256 * MEGABYTE))


def fill_the_disk(agent):
    """Write until the file system of its data is full."""
    with (agent.data / "filler").open("ab") as file:
        file.write(b"x" * MEGABYTE)


def flood_the_log(agent):
    """Write thousands of lines, and note how many it has written."""
    path = agent.data / "lines"
    written = int(path.read_text()) if path.exists() else 0
    for _ in range(0, LINES, 20):
        os.write(2, LINE * 20)
    new = path.with_suffix(".new")
    new.write_text(str(written + LINES))
    new.replace(path)  # it is read from outside at any time


def burn_cpu(agent):
    """Have a worker that computes without end, and gets on."""

    def compute():
        while True:
            sum(range(10_000))
            agent.progress()

    agent.worker("work", compute)
    agent.deed = None


AT_START = {
    "crash-at-once": crash,
    "refuse-to-start": refuse,
    "start-slowly": start_slowly,
    "never-ready": stand_still,
    "ignore-sigterm": ignore_sigterm,
}
IN_ROUNDS = {
    "crash": crash,
    "refuse": refuse,
    "segfault": segfault,
    "exit-cleanly": exit_cleanly,
    "hang": stand_still,
    "livelock": livelock,
    "go-to-the-background": go_to_the_background,
    "fork-twice": fork_twice,
    "make-zombies": make_zombies,
    "fork-bomb": fork_bomb,
    "leak-descriptors": leak_descriptors,
    "leak-memory": leak_memory,
    "take-all-memory": take_all_memory,
    "fill-the-disk": fill_the_disk,
    "flood-the-log": flood_the_log,
    "burn-cpu": burn_cpu,
}
