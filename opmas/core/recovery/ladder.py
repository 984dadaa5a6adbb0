"""The recovery ladder: what is done about an agent that systemd gave up, from the least on.

One table, `RUNGS`. For each failure the first rung that applies is taken, from the top; each says
what is done and what follows. docs/reference/recovery.md is generated from it.

Rule 1: pure and total: the same inputs give the same verdict, and for each there is one.
Rule 2: nobody's stop is fought: an agent that somebody stopped does not come here, and one that
        is not wanted running is not tried.
Rule 3: failures are forgotten after *sustained* health, never by a successful start alone: a loop
        of start and crash must end.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import Phase, Reason
from opmas.core.recovery.decided import Cure, Remedy

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.core.recovery.decided import Decided
    from opmas.core.recovery.policy import Policy


ENDINGS: Final = {1: "st", 2: "nd", 3: "rd"}  # of ordinals


class Step(StrEnum):
    """The rungs by name, in the order of the ladder."""

    SYSTEMD = "systemd"
    UNWANTED = "unwanted"
    CONFIG = "config-error"
    UNDO = "undo"
    DEPENDENCY = "dependency"
    BACKOFF = "backoff"
    QUARANTINE = "quarantine"
    PROBE = "slow-probe"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a verdict rests on. `failures` in a row include this one.

    `suspect` is the change that is likely the cause, 0 for none, and `why_not` says why no change
    is; `culprit` is the dependency that is likely the cause.
    """

    failures: int
    cause: Reason
    exit: str = ""
    wanted: bool = True  # running
    gives_up: bool = False  # by its exit status
    suspect: int = 0
    why_not: str = ""
    culprit: str = ""
    max_failures: int = 5
    undo_after: int = 2
    slow_probe: float = 0
    first_delay: float = 10
    max_delay: float = 300
    jitter: float = 20

    def dump(self) -> dict[str, Any]:
        """Return them as a JSON object."""
        return {**asdict(self), "cause": str(self.cause)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: the phase, why, after which delay to try again, what is to be done else."""

    rung: Step
    phase: Phase
    reason: Reason
    delay: float | None = None
    fact: str = ""
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: when it is taken, what is done, what follows; all in words, too.

    `applies` and `act` are of those that a failure can lead to.
    """

    step: Step
    when: str
    does: str
    then: str
    applies: Callable[[Inputs], bool] | None = None
    act: Callable[[str, Inputs, Policy], Verdict] | None = None


def climb(name: str, inputs: Inputs, policy: Policy) -> Verdict:
    """Return what follows from a failure of the agent of that name."""
    for rung in RUNGS:
        if rung.applies is not None and rung.act is not None and rung.applies(inputs):
            return rung.act(name, inputs, policy)
    raise AssertionError(inputs)  # the last rung always applies


def after(inputs: Inputs) -> Step:
    """Return the rung that one more failure of the same kind would lead to."""
    done = 0 if _can_undo(inputs) else inputs.suspect  # a change is undone once
    more = replace(inputs, failures=inputs.failures + 1, suspect=done, culprit="")
    return next(r.step for r in RUNGS if r.applies is not None and r.applies(more))


def load(decided: Decided) -> Inputs:
    """Return the inputs of a decision that was saved; what is missing was not known then."""
    known = {each.name for each in fields(Inputs)}
    said = {key: value for key, value in decided.inputs.items() if key in known}
    return Inputs(**{**said, "cause": Reason(said["cause"])})


def rung_of(step: Step) -> str:
    """Return what is done on that rung, in words."""
    return next(rung.does for rung in RUNGS if rung.step is step)


def ordinal(number: int) -> str:
    """Return the number of a failure in a row, in words while they are short."""
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    if number <= len(words):
        return words[number - 1]
    tens = number % 100 // 10
    return f"{number}{'th' if tens == 1 else ENDINGS.get(number % 10, 'th')}"


def backoff(name: str, failures: int, policy: Policy) -> float:
    """Return the delay before the next try; the jitter is the agent's own, so that many agents
    that lost the same server do not come back together.
    """
    exponent = min(failures - 1, 32)  # clamped: 2.0 ** 1024 overflows
    delay = min(policy.first_delay * 2.0**exponent, policy.max_delay)
    return delay * spread(name, failures, policy)


def spread(name: str, failures: int, policy: Policy) -> float:
    """Return the agent's own factor on a delay."""
    place = zlib.crc32(f"{name}:{failures}".encode()) / 2**32 * 2 - 1
    return 1 + policy.jitter / 100 * place


def probe_delay(name: str, failures: int, policy: Policy) -> float | None:
    """Return after which time a quarantined agent is tried once, or None for never."""
    if policy.slow_probe <= 0:
        return None
    return policy.slow_probe * spread(name, failures, policy)


def _leave(_name: str, inputs: Inputs, _policy: Policy) -> Verdict:
    return Verdict(Step.UNWANTED, Phase.FAILED, inputs.cause, None, "It is wanted stopped.")


def _undo(name: str, inputs: Inputs, policy: Policy) -> Verdict:
    return Verdict(
        Step.UNDO,
        Phase.BACKOFF,
        Reason.UNDO,
        backoff(name, inputs.failures, policy),
        f"Change {inputs.suspect} is undone: it was well before, and failed only after it.",
        Remedy(Cure.UNDO, str(inputs.suspect)),
    )


def _dependency(name: str, inputs: Inputs, policy: Policy) -> Verdict:
    return Verdict(
        Step.DEPENDENCY,
        Phase.BACKOFF,
        Reason.DEPENDENCY_RESTART,
        backoff(name, inputs.failures, policy),
        f'Agent "{inputs.culprit}", which it requires, runs and does not work: that one is'
        " restarted.",
        Remedy(Cure.RESTART, inputs.culprit),
    )


def _give_up(_name: str, _inputs: Inputs, _policy: Policy) -> Verdict:
    fact = "By this exit status it says that another try cannot help."
    return Verdict(Step.CONFIG, Phase.FAILED, Reason.EXIT_CONFIG, None, fact)


def _backoff(name: str, inputs: Inputs, policy: Policy) -> Verdict:
    delay = backoff(name, inputs.failures, policy)
    if inputs.cause is Reason.UNHEALTHY and inputs.failures == 1:
        delay = 0.0  # systemd has not tried it yet: this is the restart that it cannot make
    return Verdict(Step.BACKOFF, Phase.BACKOFF, inputs.cause, delay)


def _quarantine(name: str, inputs: Inputs, policy: Policy) -> Verdict:
    return Verdict(
        Step.QUARANTINE,
        Phase.QUARANTINED,
        Reason.CRASH_LOOP,
        probe_delay(name, inputs.failures, policy),
        f"It failed {inputs.failures} times in a row, and {inputs.max_failures} are the most that"
        " are tried again.",
    )


def _can_undo(inputs: Inputs) -> bool:
    return inputs.suspect > 0 and (inputs.failures >= inputs.undo_after or inputs.gives_up)


RUNGS: Final = (
    Rung(
        Step.SYSTEMD,
        "it crashes, hangs, is killed, or does not get ready",
        "systemd starts it again, after 100 ms; OPMAS adds nothing",
        "after 5 failures within a minute systemd gives it up",
    ),
    Rung(
        Step.UNWANTED,
        "it is wanted stopped, and somebody started it with systemctl",
        "it is `failed` and left alone",
        "release",
        lambda inputs: not inputs.wanted,
        _leave,
    ),
    Rung(
        Step.UNDO,
        "it failed `undo_after` times in a row, or says that trying is of no use, and its last"
        " change can be the cause",
        "the change is undone, once",
        "it is started as it was before",
        _can_undo,
        _undo,
    ),
    Rung(
        Step.CONFIG,
        "its exit status is one of `give_up_on`",
        "it is `failed` and left alone",
        "release",
        lambda inputs: inputs.gives_up,
        _give_up,
    ),
    Rung(
        Step.DEPENDENCY,
        "an agent that it requires runs and is unhealthy, or hangs in its reload",
        "that one is restarted, at most once in `reset_after`, and within the host's budget",
        "it is tried again after its backoff",
        lambda inputs: bool(inputs.culprit),
        _dependency,
    ),
    Rung(
        Step.BACKOFF,
        "it failed at most `max_failures` times in a row",
        "it is started again after `first_delay`, twice as long each time up to `max_delay`, with"
        " `jitter`, within the host's budget",
        "after `reset_after` of health without a break its failures are forgotten",
        lambda inputs: inputs.failures <= inputs.max_failures,
        _backoff,
    ),
    Rung(
        Step.QUARANTINE,
        "it failed more often than that",
        "it is `quarantined` and left alone, over boots too; an alert says so",
        "release, or a slow probe",
        lambda _: True,
        _quarantine,
    ),
    Rung(
        Step.PROBE,
        "it is quarantined, and `slow_probe` is set",
        "it is tried once every `slow_probe`",
        "it is quarantined again when it fails; it is free after `reset_after` of health",
    ),
    Rung(
        Step.RELEASE,
        "an operator starts it, or it gets another version, configuration, limits or grants",
        "all its failures are forgotten, and it is started",
        "the ladder begins anew",
    ),
)
