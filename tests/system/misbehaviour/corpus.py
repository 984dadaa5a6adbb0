"""The corpus of agents that misbehave: what each does, and what must come of it.

docs/reference/misbehaviour.md is made from these rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DISK: Final = "8m"
QUOTA: Final = 10  # percent of a CPU, of the hog
STARTS: Final = ("starting: requested", "running: ready")
AGAIN: Final = "starting: auto-restart"
STOP_TIMEOUT, WATCHDOG = 3.0, 4.0  # seconds, of the package misbehaver
JITTER: Final = 0.2  # of a pause before the next try
BUSY: Final = 30.0  # seconds that all of them together may be in each other's way
LATE: Final = 3.0  # the same of one step


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One agent: what it does, and what is seen of it.

    `how` is what tests/agents/misbehaver calls it. `story` is what the event log tells of its
    phases and exits until its end, each thing once, in the order in which it was first told; what
    is in brackets may be missing. At the `end` it is where the last of that leads, if nothing else
    is said. `told` is what the log must have besides. `reaches` is of its usage, or of a figure in
    its data; with `stop` it is stopped then. All of it is over `within` so many seconds where
    nothing else goes on, and `pace` says how soon one thing follows another, and `rests` how soon
    it must not. `explained` are words that `opmas agent explain` has then.
    """

    name: str
    words: str
    answer: str
    how: str
    story: tuple[str, ...]
    within: float
    explained: tuple[str, ...]
    told: tuple[str, ...] = ()
    pace: tuple[tuple[str, str, float], ...] = ()
    rests: tuple[tuple[str, str, float], ...] = ()
    after: float = 0.5
    lives: int = 0
    limits: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    disk: str = ""
    server: Mapping[str, Any] = field(default_factory=dict)  # what the agent that it requires does
    reaches: Mapping[str, float] = field(default_factory=dict)
    stop: bool = False
    note: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        last = self.story[-1]
        leads = "running: ready" if last.startswith("starting") else last
        object.__setattr__(self, "end", self.end or leads)

    def expected(self, seen: Collection[str]) -> list[str]:
        """Return the story, of what may be missing only what was seen."""
        bare = [(word.strip("()"), word[0] != "(") for word in self.story]
        return [word for word, must_be in bare if must_be or word in seen]


def loop(exit_word: str, reason: str, *, stopping: str = "") -> tuple[str, ...]:
    """Return the story of an agent that runs and goes down again and again, until backoff."""
    between = (stopping,) if stopping else ()
    return (*STARTS, *between, f"exited: {exit_word}", AGAIN, f"backoff: {reason}")


CRASHED: Final = "exit-code 1"
KILLED: Final = "oom-kill SIGKILL"
HUNG: Final = "watchdog SIGABRT"

CORPUS: Final = (
    Misbehaviour(
        "crash-at-once", "ends with status 1 before it is ready, always",
        "systemd starts it again after 100 ms, five times; then OPMAS waits, longer each time; at"
        " last it is quarantined",
        "crash-at-once",
        ("starting: requested", f"exited: {CRASHED}", AGAIN, "backoff: crashed",
         "quarantined: crash-loop"),
        told=("recovery: backoff", "recovery: quarantine", "quarantined",
              "alert.raised: quarantined"),
        keys={"recovery": {"first_delay": 1, "max_failures": 1}}, within=10,
        rests=(("backoff: crashed", AGAIN, 1 - JITTER),),
        explained=("it crashed again and again", "exited with status 1",
                   "opmas agent start crash-at-once"),
    ),
    Misbehaviour(
        "crash-late", "runs, and ends by SIGSEGV once",
        "systemd starts it again after 100 ms",
        "segfault", (*STARTS, "exited: signal SIGSEGV", AGAIN),
        after=3, lives=1, within=5,
        explained=("is running", "killed by SIGSEGV"),
    ),
    Misbehaviour(
        "crash-loop", "ends with status 1 half a second after each start, and at last does not",
        "systemd starts it again five times; then OPMAS waits, longer each time; what was is"
        " forgotten when it has done well for `reset_after`, not when it is ready",
        "crash", loop(CRASHED, "crashed"), end="running: ready",
        told=("recovery: backoff", "recovery: release"),
        keys={"recovery": {"first_delay": 1, "reset_after": 5}}, lives=6, within=60,
        rests=(("backoff: crashed", AGAIN, 1 - JITTER),
               ("running: ready", "recovery: release", 5)),
        explained=("is running", "exited with status 1"),
    ),
    Misbehaviour(
        "hang", "stands still, once",
        "systemd kills it when its watchdog was not fed for its period, and starts it again",
        "hang", (*STARTS, "stopping: watchdog", f"exited: {HUNG}", AGAIN),
        lives=1, within=2 + WATCHDOG,
        pace=(("running: ready", f"exited: {HUNG}", 1 + WATCHDOG),),
        explained=("is running", "killed by SIGABRT (watchdog)"),
    ),
    Misbehaviour(
        "hang-loop", "stands still in each of its lives",
        "as once; the fifth time in a minute OPMAS waits, longer each time",
        "hang", loop(HUNG, "watchdog", stopping="stopping: watchdog"),
        after=0, within=5 * (1 + WATCHDOG),
        pace=(("running: ready", f"exited: {HUNG}", WATCHDOG),),
        explained=("it hung", "started again in"),
    ),
    Misbehaviour(
        "livelock", "its loop turns, and the worker that does its work gets nowhere",
        "the watchdog is fed by progress: as a hang",
        "livelock", (*STARTS, "stopping: watchdog", f"exited: {HUNG}", AGAIN),
        lives=1, within=2 + WATCHDOG,
        pace=(("running: ready", f"exited: {HUNG}", 1 + WATCHDOG),),
        explained=("is running", "killed by SIGABRT (watchdog)"),
    ),
    Misbehaviour(
        "sigterm-ignored", "does not end when it is told to",
        "systemd kills it at its stop timeout",
        "ignore-sigterm",
        (*STARTS, "stopping: requested", "exited: timeout SIGKILL", "stopped: requested"),
        after=0, stop=True, within=2 + STOP_TIMEOUT,
        pace=(("stopping: requested", "exited: timeout SIGKILL", STOP_TIMEOUT),),
        explained=("is stopped: as asked", "killed by SIGKILL (timeout)"),
    ),
    Misbehaviour(
        "double-fork", "puts a child that hears no SIGTERM out of its process tree and session",
        "the child stays in the agent's control group: it counts for its limits, and is killed"
        " when the agent stops",
        "fork-twice", (*STARTS, "stopping: requested", "stopped: requested"),
        reaches={"tasks": 2}, stop=True, within=3,
        pace=(("stopping: requested", "stopped: requested", 0.5),),
        explained=("is stopped: as asked",),
    ),
    Misbehaviour(
        "background", "ends with status 0 and works on in such a child, as daemons of old did",
        "to OPMAS it has ended, and its child is killed",
        "go-to-the-background", (*STARTS, "stopping: clean-exit", "stopped: clean-exit"),
        within=2,
        explained=("ended by itself, without an error",),
    ),
    Misbehaviour(
        "zombies", "starts children and never asks how they ended",
        "the dead count for its limit of tasks; at the limit it ends with status 1, and they go"
        " with it",
        "make-zombies",
        (*STARTS, "(stopping: crashed)", f"exited: {CRASHED}", AGAIN),
        limits={"tasks_max": 200}, lives=1, within=18,
        told=("pressure: near-tasks-limit",),
        pace=(("pressure: near-tasks-limit", f"exited: {CRASHED}", 9),),
        explained=("is running", "exited with status 1"),
    ),
    Misbehaviour(
        "descriptor-leak", "opens files and closes none",
        "at 1024 it ends with status 1 and is started again",
        "leak-descriptors", (*STARTS, f"exited: {CRASHED}", AGAIN),
        lives=1, within=28, told=("pressure: fd-limit",),
        pace=(("pressure: fd-limit", f"exited: {CRASHED}", 12),),
        explained=("is running", "exited with status 1"),
    ),
    Misbehaviour(
        "memory-leak", "takes more memory each round, and keeps it",
        "the kernel kills it at its limit, systemd starts it again",
        "leak-memory", (*STARTS, f"exited: {KILLED}", AGAIN),
        lives=1, within=26,
        told=("pressure: near-memory-limit", "alert.raised: near-memory-limit"),
        pace=(("pressure: near-memory-limit", f"exited: {KILLED}", 8),),
        explained=("is running", "killed by SIGKILL", "memory"),
        note="Under cgroup v2 it is slowed down from `memory_high` on; v1, of the lab, has no"
        " such limit.",
    ),
    Misbehaviour(
        "out-of-memory", "takes 256 MB at once, of the 32 that it may",
        "as a leak; the fifth time in a minute OPMAS waits, longer each time",
        "take-all-memory",
        loop(KILLED, "out-of-memory"),
        limits={"memory_max": "32M"}, within=10,
        explained=("it used more memory than it may", "killed by SIGKILL", "started again in"),
    ),
    Misbehaviour(
        "fork-bomb", "starts children that start children, all of which hear no SIGTERM",
        "it ends at the limit of tasks; all die with the agent",
        "fork-bomb",
        (*STARTS, "stopping: requested", "(exited: timeout SIGKILL)", "stopped: requested"),
        told=("pressure: near-tasks-limit",), reaches={"tasks": 32}, stop=True, within=8,
        pace=(("stopping: requested", "stopped: requested", STOP_TIMEOUT),),
        explained=("is stopped: as asked",),
    ),
    Misbehaviour(
        "disk-filler", "writes until the file system of its data is full",
        "it ends with status 1, five times in a minute; then OPMAS waits, longer each time",
        "fill-the-disk", loop(CRASHED, "crashed"),
        disk=DISK, within=12,
        explained=("exited with status 1", "started again in"),
        note="systemd 252 has no limit for what an agent writes. Where its data is on the"
        " manager's file system, the manager too finds it full: it says so and goes on.",
    ),
    Misbehaviour(
        "log-flooder", "writes some 20,000 lines a second to the journal",
        "it runs on; journald drops what is beyond its rate limit, of this agent alone, and says"
        " how much",
        "flood-the-log", STARTS,
        reaches={"lines": 300_000}, within=2,
        explained=("is running",),
    ),
    Misbehaviour(
        "cpu-hog", "computes without end, and gets on",
        "it runs on, with its `cpu_quota` and, where CPU time is scarce, its small share",
        "burn-cpu", STARTS,
        limits={"cpu_quota": QUOTA}, told=("pressure: cpu-throttled",),
        reaches={"cpu_seconds": 1.0}, within=20,
        explained=("is running",),
    ),
    Misbehaviour(
        "slow-start", "takes longer to start than its start timeout, and says that it gets on",
        "it is waited for",
        "start-slowly", STARTS,
        keys={"timeouts": {"start": 20, "stop": 3, "watchdog": 4}},
        within=26,
        explained=("is running",),
    ),
    Misbehaviour(
        "never-ready", "stands still before it is ready, once",
        "systemd kills it at its start timeout, and starts it again",
        "never-ready",
        ("starting: requested", "stopping: timeout", "(exited: timeout SIGTERM)",
         "(exited: timeout SIGKILL)", AGAIN, "running: ready"),
        keys={"timeouts": {"start": 10, "stop": 1, "watchdog": 4}}, lives=1, within=12,
        pace=(("starting: requested", "stopping: timeout", 10), ("stopping: timeout", AGAIN, 1)),
        explained=("is running", "(timeout)"),
        note="It ends by SIGTERM when it hears that, else by SIGKILL at its stop timeout.",
    ),
    Misbehaviour(
        "clean-exit", "ends with status 0, as if all were done",
        "it is stopped, and stays so until somebody starts it",
        "exit-cleanly", (*STARTS, "stopping: clean-exit", "stopped: clean-exit"),
        within=2,
        explained=("ended by itself, without an error", "opmas agent start clean-exit"),
    ),
    Misbehaviour(
        "do-not-restart", "ends with status 78: another start would end the same",
        "it is failed at once, and not tried again until somebody starts it",
        "refuse-to-start", ("starting: requested", "exited: exit-code 78", "failed: config-error"),
        told=("recovery: config-error", "alert.raised: failed"),
        within=2, pace=(("exited: exit-code 78", "failed: config-error", 0.5),),
        explained=("must be mended first", "78", "opmas agent start do-not-restart"),
    ),
    Misbehaviour(
        "dependency-crash", "requires an agent that crashes once",
        "it is stopped with the other, and started again as soon as that runs",
        "",
        (*STARTS, "(stopping: systemctl)", "(stopping: dependency-down)",
         "stopped: dependency-down", "starting: dependency-down"),
        server={"how": "crash", "after": 12, "lives": 1}, within=14,
        explained=("is running",),
    ),
    Misbehaviour(
        "dependency-down", "requires an agent that says that it cannot work",
        "it is stopped with the other, and waits for it",
        "",
        (*STARTS, "(stopping: systemctl)", "(stopping: dependency-down)",
         "stopped: dependency-down"),
        server={"how": "refuse", "after": 12}, within=14,
        explained=("an agent that it requires does not run", "when all that it requires runs"),
    ),
)  # fmt: skip
