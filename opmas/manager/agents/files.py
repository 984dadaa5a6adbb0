"""The files of each agent: what systemd and the agent are started with.

STATE/agents/NAME/config.json     the configuration, mounted into the agent's sandbox
STATE/agents/NAME/agent.json      the specification, to rebuild a lost database from
UNITS/opmas-agent@NAME.service.d/50-opmas.conf      the drop-in
UNITS/opmas-probe@NAME.service.d/50-opmas.conf      the health check's, where there is one
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.condition import dump_spec, load_spec
from opmas.core.agent.terms import NAME, AgentSpec, Limits, hook_unit, probe_unit, unit_name
from opmas.core.package.manifest import Runtime
from opmas.core.resources.limits import NO_HOST_LIMITS, host_limits
from opmas.core.unit.file import Place, render_dropin, render_hook_dropin, render_probe_dropin
from opmas.host.files import remove_file, write_whole

if TYPE_CHECKING:
    from opmas.core.documents.settings import Settings
    from opmas.packages.catalogue import Package

logger = logging.getLogger(__name__)

DROP_IN: Final = "50-opmas.conf"
CONFIG: Final = "config.json"
SPEC: Final = "agent.json"


@dataclass(frozen=True, slots=True)
class SavedSpec:
    """An agent as found beside its files."""

    spec: AgentSpec
    config_version: int


class AgentFiles:
    """Writes and removes the files of agents; every file is whole at any moment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.agents
        self._policy = settings.recovery.policy
        self.systemd = 0  # its version, when it is known
        self.host_limits = host_limits(settings.limits)
        self._agents = Path(settings.manager.state_dir) / "agents"
        self._units = Path(settings.manager.unit_dir)
        self._digests: dict[str, tuple[AgentSpec, Package, str]] = {}  # every view asks for them

    def write(self, spec: AgentSpec, package: Package, config_version: int) -> bool:
        """Make the files say what the agent is started with next. Raises OSError.

        Return whether its unit is another now than it was before.
        """
        self.write_config(spec, package, config_version)
        unit = unit_name(spec.name)
        changed = write_whole(self._drop_in(unit), self.drop_in(spec, package))
        probe = self._drop_in(probe_unit(spec.name))
        if package.manifest.health_check is None:
            remove_file(probe)
        else:
            write_whole(
                probe, render_probe_dropin(spec, package.manifest, self._place(spec, package))
            )
        return changed

    def write_config(self, spec: AgentSpec, package: Package, config_version: int) -> None:
        """Make the configuration's files say what is in force. Raises OSError."""
        folder = self._agents / spec.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The agent's own user, whom nobody knows yet, reads it where it is mounted for it. Here
        # nobody does: the directories above are root's alone.
        write_whole(folder / CONFIG, _config_text(spec, package, config_version), 0o644)
        self.write_spec(spec, config_version)

    def write_spec(self, spec: AgentSpec, config_version: int) -> None:
        """Make the file beside the configuration say how the agent is declared. Raises OSError."""
        folder = self._agents / spec.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(folder / SPEC, _saved_text(spec, config_version), 0o600)

    def write_hook(
        self, spec: AgentSpec, package: Package, from_version: str, to_version: str
    ) -> None:
        """Write the drop-in of the agent's migration. Raises OSError."""
        place = self._place(spec, package)
        text = render_hook_dropin(spec, package.manifest, place, from_version, to_version)
        write_whole(self._drop_in(hook_unit(spec.name)), text)

    def remove_hook(self, name: str) -> None:
        """Remove the drop-in of the agent's migration. Raises OSError."""
        remove_file(self._drop_in(hook_unit(name)))

    def are_current(self, spec: AgentSpec, package: Package, config_version: int) -> bool:
        """Return whether the files say what is in force; a kill before `write` leaves old ones."""
        wanted = {
            self._agents / spec.name / CONFIG: _config_text(spec, package, config_version),
            self._agents / spec.name / SPEC: _saved_text(spec, config_version),
            self._drop_in(unit_name(spec.name)): self.drop_in(spec, package),
        }
        try:
            return all(path.read_bytes() == text.encode() for path, text in wanted.items())
        except OSError:
            return False

    def remove(self, name: str) -> None:
        """Remove every file of the agent. Raises OSError."""
        remove_file(self._drop_in(unit_name(name)))
        remove_file(self._drop_in(probe_unit(name)))
        self.remove_hook(name)
        remove_file(self._agents / name / SPEC)
        remove_file(self._agents / name / CONFIG)

    def drop_in(self, spec: AgentSpec, package: Package) -> str:
        """Return the text of the agent's drop-in."""
        return render_dropin(spec, package.manifest, self._place(spec, package))

    def digest(self, spec: AgentSpec, package: Package) -> str:
        """Return what identifies a run: unit text, package, and a config it cannot follow live."""
        known = self._digests.get(spec.name)
        if known is not None and known[0] is spec and known[1] is package:
            return known[2]
        lives = package.manifest.runtime is Runtime.PYTHON
        config = "" if lives else json.dumps(merged_config(spec, package), sort_keys=True)
        # the agent's own limits, and the host's, are set while it runs
        live = replace(spec, limits=Limits())
        # what a newer systemd can is no reason to start anything again
        place = replace(self._place(spec, package), limits=NO_HOST_LIMITS, systemd=0)
        # nor is a weight, which is set live, and which earlier versions did not write
        text = render_dropin(live, package.manifest, place)
        unit = "".join(
            each for each in text.splitlines(keepends=True) if not each.startswith("IOWeight=")
        )
        parts = (unit, package.digest, config)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        self._digests[spec.name] = (spec, package, digest)
        return digest

    def missing(self, name: str) -> bool:
        """Return whether the agent's drop-in is gone, as after `systemctl revert`."""
        return not self._drop_in(unit_name(name)).exists()

    def exist(self) -> bool:
        """Return whether the directory of all agents' files is there."""
        return self._agents.is_dir()

    def saved_specs(self) -> list[SavedSpec]:
        """Return the agents whose files are there; an unreadable one is left out, and said."""
        found = []
        for path in sorted(self._agents.glob(f"*/{SPEC}")):
            try:
                saved = json.loads(path.read_text(encoding="utf-8"))
                found.append(SavedSpec(load_spec(saved["spec"]), int(saved["config_version"])))
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.warning("%s cannot be read, its agent is not rebuilt: %s", path, error)
        return found

    def strays(self, known: set[str]) -> list[str]:
        """Return the agents that have a drop-in of ours but are not known."""
        marks = self._units.glob(f"{unit_name('*')}.d/{DROP_IN}")
        names = {
            m.parent.name.removeprefix("opmas-agent@").removesuffix(".service.d") for m in marks
        }
        return sorted(n for n in names - known if NAME.fullmatch(n))

    def _drop_in(self, unit: str) -> Path:
        return self._units / f"{unit}.d" / DROP_IN

    def _place(self, spec: AgentSpec, package: Package) -> Place:
        return Place(
            package_dir=package.directory,
            credential_path=str(self._agents / spec.name / CONFIG),
            python=self._settings.python,
            pythonpath=":".join(self._settings.pythonpath) or None,
            limits=self.host_limits,
            policy=self._policy,
            systemd=self.systemd,
        )


def _saved_text(spec: AgentSpec, config_version: int) -> str:
    saved = {"spec": dump_spec(spec), "config_version": config_version}
    return json.dumps(saved, indent=1) + "\n"


def _config_text(spec: AgentSpec, package: Package, config_version: int) -> str:
    given = {
        "agent": spec.name,
        "package": spec.package,
        "version": config_version,
        "config": merged_config(spec, package),
    }
    return json.dumps(given, indent=1) + "\n"


def merged_config(spec: AgentSpec, package: Package) -> dict[str, Any]:
    """Return the configuration in force: the package's defaults, overridden key by key."""
    return _merged(package.manifest.defaults, spec.config)


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    for key, value in own.items():
        below = merged.get(key)
        nested = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below or {}, value) if nested else value
    return merged
