"""The agent: each round it reads the host, sets its metrics, and tells what was crossed."""

from __future__ import annotations

import os
import time
from logging import DEBUG
from typing import TYPE_CHECKING, Any

from opmas.agent import BaseAgent, ConfigError, Health

from .host import Host, Sample
from .ledger import Ledger, LedgerFile
from .report import Report
from .settings import Settings, SettingsError, read_settings
from .thresholds import Change
from .values import rule_values
from .watch import Event, Watch, subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .watch import Values

# A share of less time than this is noise.
SHORTEST_ROUND = 0.5

# A health message is one line of `opmas status`.
MOST_NAMED = 5


class HostWatch(BaseAgent):
    """Watches CPU, memory, load, disks, file systems, network, temperature, pressure and units."""

    def setup(self) -> None:
        """Take over what the last run knew."""
        self._settings = _settings(self.config)
        self.interval = self._settings.interval
        self._host = Host()
        self._report = Report(self.metrics)
        self._watch = Watch()
        self._ledger = LedgerFile(os.environ.get("STATE_DIRECTORY"))
        known = self._ledger.read()
        ahead = _wall_ahead()
        self._watch.restore({key: since - ahead for key, since in known.raised.items()})
        self._writable = known.writable
        self._problems: dict[str, str] = {}
        # Health is asked for before the first round, and must know by then what cannot be read.
        self._sample = self._host.read(self._settings)
        self._note_problems(self._sample.problems)
        self._hidden = self._host.hidden_mounts()
        if self._hidden:
            self.log.info("cannot see %s: hidden by this unit's ProtectHome=", self._hidden_text())

    def run(self) -> None:
        """Do one round."""
        now = self._host.read(self._settings)
        before = self._sample if now.at - self._sample.at >= SHORTEST_ROUND else None
        self._sample = now
        self._writable = _writable(self._writable, now)
        values = rule_values(before, now, self._writable)
        for event in self._watch.check(values, self._settings.thresholds, now.at):
            self._tell(event)
        if self.log.isEnabledFor(DEBUG):
            self._show(values)
        self._report.update(before, now, len(self._watch.raised))
        self._note_problems(now.problems)
        self._keep()

    def on_config(self, new: Mapping[str, Any]) -> None:
        """Take the new configuration from the next round on; what is raised stays raised."""
        self._settings = _settings(new)
        self.interval = self._settings.interval

    def check_health(self) -> Health:
        """Say whether all readings work; the host's own troubles are not the agent's."""
        said = self._raised_text()
        if self._hidden:
            said += f"; hidden by the sandbox: {self._hidden_text()}"
        if "proc" in self._problems:
            return Health.unhealthy(self._problems["proc"])
        if self._problems:
            return Health.degraded("; ".join([*self._problems.values(), said]))
        return Health.healthy(said)

    def teardown(self) -> None:
        """Stop asking the file systems."""
        self._host.close()

    def _show(self, values: Values) -> None:
        for name, threshold in self._settings.thresholds.items():
            for instance, value in values.get(name, {}).items():
                shown = "unknown" if value is None else f"{value:.2f}"
                level = threshold.rule.raise_at
                self.log.debug("%s is %s (raise at %g)", subject((name, instance)), shown, level)

    def _tell(self, event: Event) -> None:
        since = _rfc3339(event.data["since"] + _wall_ahead())
        data = {**event.data, "since": since}
        log = self.log.warning if event.change is Change.RAISED else self.log.info
        log("%s", event.message)
        self.emit(event.change.value, severity=event.severity, message=event.message, **data)

    def _note_problems(self, problems: Mapping[str, str]) -> None:
        for name, problem in problems.items():
            if self._problems.get(name) != problem:
                self.log.warning("%s", problem)
        self._problems = dict(problems)

    def _keep(self) -> None:
        ahead = _wall_ahead()
        # Whole seconds, as the two clocks drift apart and only news is written.
        raised = {key: float(round(since + ahead)) for key, since in self._watch.raised.items()}
        try:
            self._ledger.keep(Ledger(raised, self._writable))
        except OSError as error:
            self._problems["ledger"] = f"cannot write {error.filename}: {error.strerror}"

    def _raised_text(self) -> str:
        raised = [subject(key) for key in sorted(self._watch.raised)]
        if not raised:
            return "no threshold is crossed"
        named = ", ".join(raised[:MOST_NAMED])
        more = f" and {len(raised) - MOST_NAMED} more" if len(raised) > MOST_NAMED else ""
        return f"crossed: {named}{more}"

    def _hidden_text(self) -> str:
        return ", ".join(self._hidden[:MOST_NAMED])


def _settings(config: Mapping[str, Any]) -> Settings:
    try:
        return read_settings(config)
    except SettingsError as error:
        raise ConfigError(str(error)) from error


def _writable(known: frozenset[str], now: Sample) -> frozenset[str]:
    if now.filesystems is None:
        return known
    fresh = {fs.mountpoint for fs in now.filesystems if not fs.read_only}
    return (known & {fs.mountpoint for fs in now.filesystems}) | fresh


def _wall_ahead() -> float:
    return time.time() - time.monotonic()


def _rfc3339(seconds: float) -> str:
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{int(seconds % 1 * 1e6):06d}Z"
