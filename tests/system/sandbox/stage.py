"""A lab host with our templates and the SDK, and agents declared on it as the manager does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.core.agent.terms import AgentSpec, unit_name
from opmas.core.package.manifest import Manifest, parse_manifest
from opmas.core.unit.file import Place, render_dropin, render_hook_dropin
from tests.lab import Host

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[3]
UNITS: Final = ("opmas-agent@", "opmas-probe@", "opmas-hook@")
STATE: Final = "/var/lib/opmas"
PACKAGE: Final = f"{STATE}/packages/look/2.0"
SDK: Final = "/opt/opmas"


class Stage:
    """The host, with what a test does to its agents."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def sh(self, script: str, *arguments: str) -> str:
        """Run a shell script in the host and return its output."""
        return self.host.run("sh", "-euc", script, "sh", *arguments).stdout

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file in the host."""
        script = 'mkdir -p "${1%/*}" && cat > "$1" && chmod "$2" "$1"'
        self.host.run("sh", "-euc", script, "sh", path, mode, input=text)

    def declare(self, name: str, **document: Any) -> Manifest:
        """Write the files that the manager writes for an agent of the package look."""
        manifest = parse_manifest(
            {
                "api": "opmas.agent/v1",
                "name": "look",
                "version": "2.0",
                "summary": "looks around",
                "runtime": "exec",
                **({} if "entry" in document else {"command": ["/bin/sleep", "infinity"]}),
                **document,
            },
            where="agent.yaml",
        )
        spec = AgentSpec(name, "look")
        place = Place(PACKAGE, f"{STATE}/agents/{name}/config.json", pythonpath=SDK)
        self.write(place.credential_path, json.dumps({"agent": name, "config": {"a": 1}}))
        self.drop_in(unit_name(name), render_dropin(spec, manifest, place))
        if manifest.hooks.migrate:
            hook = render_hook_dropin(spec, manifest, place, "1.0", "2.0")
            self.drop_in(f"opmas-hook@{name}.service", hook)
        return manifest

    def drop_in(self, unit: str, text: str) -> None:
        """Write the drop-in of a unit, without a daemon-reload."""
        self.write(f"/etc/systemd/system/{unit}.d/50-opmas.conf", text)

    def systemctl(self, verb: str, *units: str) -> bool:
        """Do as an admin does; whether it worked."""
        return self.host.run("systemctl", verb, *units, check=False).returncode == 0

    def shown(self, unit: str, *properties: str) -> list[str]:
        """Return the properties of a unit, in their order."""
        found = [
            self.host.run("systemctl", "show", unit, f"--property={each}", "--value").stdout
            for each in properties
        ]
        return [each.strip() for each in found]

    def logged(self, unit: str) -> str:
        """Return what the unit and systemd said of it."""
        return self.host.run("journalctl", "-u", unit, "-o", "cat").stdout


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """Boot a host that has the templates and the SDK, and remove it."""
    with Host.up(name) as host:
        for unit in UNITS:
            host.copy_in(ROOT / "units" / f"{unit}.service", f"/etc/systemd/system/{unit}.service")
        slices = "opmas-agents.slice"
        host.copy_in(ROOT / "units" / slices, f"/etc/systemd/system/{slices}")
        host.copy_in(ROOT / "opmas", f"{SDK}/opmas")
        host.run("systemctl", "daemon-reload")
        yield Stage(host)
