"""All thresholds at once: which of them are crossed, over time and over restarts of the agent.

Pure. A value is known by its rule and its instance (a mount point, a device, a unit; empty for
what a host has once).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .rules import KINDS, sentence
from .thresholds import CALM, Change, Crossing, State, step

if TYPE_CHECKING:
    from .settings import Threshold

# By rule: the values by instance. An instance whose value is None could not be read; a rule that
# is missing could not be read at all, and nothing changes for it.
Values = Mapping[str, Mapping[str, float | None]]
Key = tuple[str, str]


class Event(NamedTuple):
    """A crossing to tell of; `data` goes with the event as it is."""

    change: Change
    severity: str
    message: str
    data: dict[str, Any]


class Watch:
    """The state of every threshold that is raised or about to be."""

    def __init__(self) -> None:
        self._states: dict[Key, State] = {}

    @property
    def raised(self) -> dict[Key, float]:
        """Since when each raised threshold is beyond its level, by rule and instance."""
        return {
            key: state.since
            for key, state in self._states.items()
            if state.is_raised and state.since is not None
        }

    def restore(self, raised: Mapping[Key, float]) -> None:
        """Take over what was raised when the agent ran before."""
        self._states = {
            key: State(is_raised=True, since=since)
            for key, since in raised.items()
            if key[0] in KINDS
        }

    def check(
        self, values: Values, thresholds: Mapping[str, Threshold], now: float
    ) -> list[Event]:
        """Return what was crossed, either way, by these values."""
        unwatched = [key for key in self._states if key[0] not in thresholds]
        events = [self._forget(key, "it is no longer watched", now) for key in unwatched]
        for name, threshold in thresholds.items():
            if name in values:
                events += self._check_rule(name, threshold, values[name], now)
        return [event for event in events if event]

    def _check_rule(
        self, name: str, threshold: Threshold, values: Mapping[str, float | None], now: float
    ) -> Iterable[Event | None]:
        missing = [key for key in self._states if key[0] == name and key[1] not in values]
        for instance, value in values.items():
            yield self._step((name, instance), threshold, value, now)
        for key in missing:
            if KINDS[name].is_list_of_bad:
                yield self._step(key, threshold, 0.0, now)
            else:
                yield self._forget(key, "it is gone", now)

    def _step(
        self, key: Key, threshold: Threshold, value: float | None, now: float
    ) -> Event | None:
        state, crossing = step(self._states.get(key, CALM), threshold.rule, value, now)
        if state == CALM:
            self._states.pop(key, None)
        else:
            self._states[key] = state
        return _event(key, threshold.severity, crossing, now) if crossing else None

    def _forget(self, key: Key, why: str, now: float) -> Event | None:
        state = self._states.pop(key)
        if not state.is_raised or state.since is None:
            return None
        crossing = Crossing(Change.CLEARED, None, KINDS[key[0]].rule.clear_at, state.since)
        return _event(key, "info", crossing, now)._replace(
            message=f"{subject(key)} is cleared: {why}"
        )


def subject(key: Key) -> str:
    """Name a threshold and what it is about: `filesystem_used of /var`."""
    name, instance = key
    return f"{name} of {instance}" if instance else name


def _event(key: Key, severity: str, crossing: Crossing, now: float) -> Event:
    name, instance = key
    kind = KINDS[name]
    data: dict[str, Any] = {
        "rule": name,
        "resource": kind.resource,
        "instance": instance,
        "value": None if crossing.value is None else round(crossing.value, 3),
        "level": crossing.level,
        "unit": kind.unit,
        "since": crossing.since,
        "seconds": round(now - crossing.since, 3),
    }
    if crossing.change is Change.CLEARED:
        severity = "info"
    return Event(crossing.change, severity, sentence(kind, instance, crossing), data)
