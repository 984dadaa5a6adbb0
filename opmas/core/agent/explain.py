"""Why an agent is in its state and what will happen next, in sentences for people.

`message` is the one line that every view shows; `explain` is the long form. Both rest on facts
only: what systemd showed, what the agent said, what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opmas.core.agent.state import DOWN, RETRIED, Agent, Pending, Then, fact
from opmas.core.agent.terms import Desired, Phase, Reason, unit_name
from opmas.core.health.assessment import UP
from opmas.core.health.words import health_sentences
from opmas.core.recovery.ladder import after, load, ordinal, rung_of
from opmas.core.unit.exits import EXIT_CONFIG, exit_text

if TYPE_CHECKING:
    from opmas.core.recovery.policy import Policy

REASONS: Final = {
    Reason.CREATED: "it was created and never started",
    Reason.REQUESTED: "as asked through OPMAS",
    Reason.BOOT: "it is started with the host",
    Reason.SYSTEMCTL: "as asked with systemctl",
    Reason.AUTO_RESTART: "it is started again after it went down",
    Reason.READY: "it said that it is ready",
    Reason.RELOAD: "it takes a new configuration",
    Reason.HELD: "somebody stopped it with systemctl",
    Reason.CLEAN_EXIT: "it ended by itself, without an error",
    Reason.CRASHED: "it crashed",
    Reason.WATCHDOG: "it hung: its watchdog ran out",
    Reason.TIMEOUT: "it took too long to start or to stop",
    Reason.OUT_OF_MEMORY: "it used more memory than it may",
    Reason.EXIT_CONFIG: "it says that its configuration or its host must be mended first",
    Reason.START_LIMIT: "it was started too often in a short time",
    Reason.CRASH_LOOP: "it crashed again and again",
    Reason.UNIT_ERROR: "systemd could not start its unit",
    Reason.MASKED: "its unit is masked",
    Reason.PACKAGE_MISSING: "its package is not installed",
    Reason.CHANGE: "a change is made to it",
    Reason.DEPENDENCY: "an agent that it requires does not run",
    Reason.UNHEALTHY: "its health check says again and again that it does not work",
    Reason.BUDGET: "it waits: too many agents of this host are started again at the same time",
    Reason.DEPENDENCY_RESTART: "an agent that it requires is restarted as the cause",
    Reason.UNDO: "its last change is undone, as the likely cause",
    Reason.SLOW_PROBE: "it is tried once, to see whether the cause is gone",
}
WAITING: Final = "it waits for its turn to start"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A summary in one sentence, the facts that it rests on, what comes next; and what would come
    on the ladder of recovery when it fails.
    """

    summary: str
    sentences: tuple[str, ...]
    next: str
    ladder: tuple[str, ...] = ()


def message(agent: Agent) -> str:
    """Return one line on why the agent is in its phase."""
    if agent.pending is Pending.QUEUED:
        return WAITING
    if agent.message:
        return f"{REASONS[agent.reason]}: {agent.message}"
    return REASONS[agent.reason]


def explain(agent: Agent, now: float, policy: Policy) -> Explanation:
    """Return why the agent is in its state and what will happen next."""
    facts = [
        f"It is wanted {agent.spec.desired}.",
        _unit_sentence(agent),
        *health_sentences(agent, now),
        _exit_sentence(agent),
        _last_words(agent),
        _failures_sentence(agent, policy),
        _waiting_sentence(agent),
    ]
    summary = f'agent "{agent.name}" is {agent.phase}: {message(agent)}'
    sentences = tuple(f for f in facts if f)
    return Explanation(summary, sentences, _next(agent, now, policy), climbing(agent, now, policy))


def _unit_sentence(agent: Agent) -> str:
    unit = agent.unit
    if unit is None:
        return f"systemd has not loaded {unit_name(agent.name)}: it does not run."
    state = f"{unit.active_state} ({unit.sub_state})"
    # what a process that is no more said last, systemd still shows: `_last_words`
    said = f', and it says "{unit.status_text}"' if unit.status_text and unit.main_pid else ""
    return f"systemd shows {unit.unit} as {state}{said}."


def _exit_sentence(agent: Agent) -> str:
    last = agent.last_exit
    if last is None:
        return ""
    return f"When it last went down by itself, its main process {exit_text(last)} ({last.result})."


def _last_words(agent: Agent) -> str:
    unit, down = agent.unit, agent.phase in {Phase.BACKOFF, Phase.FAILED, Phase.QUARANTINED}
    if unit is None or unit.main_pid or not unit.status_text or not down:
        return ""
    if agent.message == unit.status_text:
        return ""  # the summary has it
    return f'The last that it said was "{unit.status_text}".'


def _failures_sentence(agent: Agent, policy: Policy) -> str:
    if not agent.failures or agent.phase is Phase.FAILED:
        return ""
    times = "once" if agent.failures == 1 else f"{agent.failures} times in a row"
    return (
        f"systemd's own restarts were used up {times}; the {ordinal(policy.max_failures + 1)} time"
        " OPMAS leaves it alone until it is released."
    )


def _waiting_sentence(agent: Agent) -> str:
    if agent.pending is not Pending.QUEUED or not agent.spec.after:
        return ""
    return f"It is started after: {', '.join(agent.spec.after)}."


NEXT: Final = {
    Phase.REGISTERED: "Nothing, until `opmas agent start {name}`.",
    Phase.STARTING: "It runs as soon as it says that it is ready, or fails at its start timeout.",
    Phase.RUNNING: "It goes on running; systemd restarts it when it crashes or hangs.",
    Phase.RELOADING: "It runs on as soon as it has taken its configuration.",
    Phase.STOPPING: "It is stopped as soon as it ends, or is killed at its stop timeout.",
    Phase.STOPPED: "Nothing, until `opmas agent start {name}`.",
    Phase.BACKOFF: "It is started again.",
    Phase.FAILED: "Nothing, until the cause is mended and `opmas agent start {name}`.",
    Phase.QUARANTINED: "Nothing, until the cause is mended and `opmas agent start {name}`.",
}
_NEXT_BY_REASON: Final = {
    Reason.HELD: (
        "Nothing, until `opmas agent start {name}`, `systemctl start {unit}` or the next boot."
    ),
    Reason.MASKED: "Nothing, until `systemctl unmask {unit}` and `opmas agent start {name}`.",
    Reason.PACKAGE_MISSING: "It is started when its package is installed again.",
    Reason.CLEAN_EXIT: "Nothing, until `opmas agent start {name}` or the next boot.",
    Reason.DEPENDENCY: "It is started when all that it requires runs.",
    Reason.CHANGE: "The change goes on: `opmas change list --agent {name}`.",
}


def _tried(agent: Agent, now: float, policy: Policy) -> str:
    left = max(0, round((agent.retry_at or now) - now))
    if agent.phase is Phase.QUARANTINED and not agent.package_present:
        return (
            "It is tried once when its package is installed again, and is quarantined again when"
            " it fails."
        )
    if agent.phase is Phase.QUARANTINED:
        return (
            f"It is tried once in {left} s, and is quarantined again when it fails;"
            f" `opmas agent start {agent.name}` tries at once."
        )
    tries = policy.max_failures + 1 - agent.failures
    more = "once more" if tries <= 1 else f"{tries} more times"
    return f"It is started again in {left} s; it is quarantined if it fails {more}."


def climbing(agent: Agent, now: float, policy: Policy) -> tuple[str, ...]:
    """Return where the agent is on the ladder of recovery, and what one more failure leads to."""
    if agent.spec.desired is not Desired.RUNNING:
        return ()
    found = []
    if agent.failures and agent.phase in UP:
        found.append(_forgetting(agent, now, policy))
    last = next((d for d in reversed(agent.decisions) if "cause" in d.inputs), None)
    if agent.failures and last is not None:
        found.append(f"One more failure of that kind leads to: {rung_of(after(load(last)))}.")
    elif agent.phase in UP:
        found.append(
            f"When systemd gives it up, it is started again after {policy.first_delay:g} s; at the"
            f" {ordinal(policy.max_failures + 1)} such failure in a row it is quarantined."
        )
    return tuple(found)


def _forgetting(agent: Agent, now: float, policy: Policy) -> str:
    times = "1 failure is" if agent.failures == 1 else f"{agent.failures} failures are"
    if agent.well_since is None:
        return f"Its {times} forgotten after {policy.reset_after:g} s of health."
    left = max(0, round(agent.well_since + policy.reset_after - now))
    return f"Its {times} forgotten in {left} s, if it stays well."


def _next(agent: Agent, now: float, policy: Policy) -> str:
    if agent.phase in RETRIED and agent.retry_at is not None:
        return _tried(agent, now, policy)
    if agent.settle_at is not None and fact(agent.unit) in DOWN:
        return "OPMAS looks for a moment whether systemd starts it again."
    if agent.then in {Then.REMOVE, Then.PURGE}:
        return "It is removed as soon as it has stopped."
    if agent.then is Then.START:
        return "It is started again as soon as it has stopped."
    text = NEXT[agent.phase]
    if agent.phase is not Phase.QUARANTINED:  # that is left by a release alone
        text = _NEXT_BY_REASON.get(agent.reason, text)
    if agent.reason is Reason.EXIT_CONFIG:
        last = agent.last_exit
        status = EXIT_CONFIG if last is None else last.exec_main_status
        text = f"Status {status} tells OPMAS not to try again. " + text
    if agent.phase is Phase.RUNNING and agent.spec.desired is Desired.STOPPED:
        text = "It goes on running until it is stopped; it is not started at the next boot."
    return text.format(name=agent.name, unit=unit_name(agent.name))
