"""The ways in which a version is bad.

One that turns bad later says so by an event `bad` first, so that a test knows since when it is.
"""

import ctypes
import importlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

from opmas.agent import AgentError, Check, ConfigError, Health

FOR_EVER = 3600
MIB = 2**20
PORT = 47011


class Fault:
    """None at all; a bad version overrides what it does badly."""

    after = 6.0  # seconds of good service

    def __init__(self, agent):
        self.agent = agent
        self.is_bad = False

    def setup(self):
        pass

    def round(self, age):
        if self.is_bad:
            self.strike()
        elif age >= self.after and type(self).strike is not Fault.strike:
            self.is_bad = True
            self.agent.emit("bad", message="from now on it is bad")

    def strike(self):
        pass

    def health(self):
        return Health.healthy()

    def teardown(self):
        pass


class ExitsAtOnce(Fault):
    def setup(self):
        os._exit(3)


class Raises(Fault):
    def setup(self):
        raise KeyError("what nobody thought of")


class RefusesItsConfig(Fault):
    def setup(self):
        raise ConfigError("color: nobody says what it should be")


class HangsInStart(Fault):
    def setup(self):
        time.sleep(FOR_EVER)


class RetriesItsStart(Fault):
    def setup(self):
        raise AgentError("the table is not there", code="no-table")


class TakesAPort(Fault):
    def setup(self):
        self.socket = socket.create_server(("127.0.0.1", PORT))


class ExitsLater(Fault):
    after = 40.0

    def strike(self):
        sys.exit(1)


class CrashesEvery20s(ExitsLater):
    after = 20.0


class ExitsAfterTheWindow(ExitsLater):
    after = 100.0


class EndsWell(Fault):
    def strike(self):
        sys.exit(0)


class Segfaults(Fault):
    def strike(self):
        ctypes.string_at(0)


class KillsItself(Fault):
    def setup(self):
        self.mark = self.agent.data / "killed"
        if self.mark.exists():
            self.after = FOR_EVER

    def strike(self):
        self.mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Fault):
    def strike(self):
        time.sleep(FOR_EVER)


class Livelock(Fault):
    def strike(self):
        while True:  # tries the same thing again, at once
            time.sleep(0.001)


class PoliteLivelock(Fault):
    def strike(self):
        while self.agent.wait(0.2):
            pass


class Leaks(Fault):
    after = 3.0
    step = 4 * MIB

    def __init__(self, agent):
        super().__init__(agent)
        self.held = []

    def strike(self):
        self.held.append(bytearray(os.urandom(self.step)))


class LeaksSlowly(Leaks):
    step = MIB // 4


class LeaksVerySlowly(Leaks):
    step = MIB // 64


class BurnsCpu(Fault):
    after = 1.0

    def strike(self):
        used, began = time.process_time(), time.monotonic()
        while time.process_time() - used < 0.4 and time.monotonic() - began < 1:
            pass  # on a crowded machine it does not get so much
        self.agent.progress()


class TurnsUnhealthy(Fault):
    after = 10.0

    def health(self):
        return Health.unhealthy("nothing works") if self.is_bad else Health.healthy()

    def strike(self):
        pass


class TurnsDegraded(Fault):
    def health(self):
        if not self.is_bad:
            return Health.healthy()
        return Health(checks=[Check("queue", "degraded", "queue-long", "jobs wait")])

    def strike(self):
        pass


class LosesJobs(TurnsDegraded):
    every = 6  # rounds

    def strike(self):
        self.every -= 1
        if not self.every:
            self.every = LosesJobs.every
            self.agent.emit("failed", severity="error", message="a job was lost")


class SaysItIsOutside(Fault):
    """Its new address is wrong; it says what it would say when the server were away."""

    code = "connection-refused"

    def health(self):
        if not self.is_bad:
            return Health.healthy()
        return Health(checks=[Check("server", "unhealthy", self.code, "no server there")])

    def strike(self):
        pass


class EmitsErrors(Fault):
    def strike(self):
        self.agent.emit("failed", severity="error", message="a job was lost")


class SpoilsItsData(Fault):
    def strike(self):
        (self.agent.data / "state.json").write_text('{"count": "many')
        (self.agent.data / "new").mkdir()
        sys.exit(1)


class ForksOnAndOn(Fault):
    def strike(self):
        while True:
            if os.fork() == 0:
                time.sleep(FOR_EVER)


class FillsItsDisk(Fault):
    def strike(self):
        with (self.agent.data / "filler").open("ab") as file:
            while True:
                file.write(bytes(MIB))


class IgnoresSigterm(Fault):
    def teardown(self):
        time.sleep(FOR_EVER)


class CountsWrongly(Fault):
    def strike(self):
        self.agent.state["count"] -= 1


FAULTS = {kind.__name__: kind for kind in Fault.__subclasses__()}
FAULTS |= {
    kind.__name__: kind for each in Fault.__subclasses__() for kind in each.__subclasses__()
}


def make(name, agent):
    """Return the fault of that name; one that shows elsewhere is none of the running agent's."""
    return FAULTS.get(name, Fault)(agent)


def while_imported(name):
    if name == "MissesAModule":
        importlib.import_module("nobody_has_this_module")


def while_migrated(name, data):
    if name == "MigratesByHalf":
        (data / "state.json").unlink()
        Path(data, "half").write_text("of it")
        raise RuntimeError("the other half is not to be had")


def while_checked(name):
    if name == "FailsItsCheck":
        raise RuntimeError("not this way")
