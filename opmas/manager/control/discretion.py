"""What is shown of configurations: all but what their packages call secret.

What is secret in one version of a package is so in all that are here: an agent that goes back to
a version that did not know it yet shows it no more than before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.documents.secret import HIDDEN, secret_paths, with_secrets, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opmas.packages.collection import Packages

    Schema = dict[str, Any]


class Discretion:
    """Knows which configurations hold secrets, takes these out, and puts them in again."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._known: dict[str, list[Schema]] = {}  # those with secrets; a list asks for each agent
        self._exchange = packages.exchanges

    def config(self, config: Mapping[str, Any], package: str) -> dict[str, Any]:
        """Return the configuration as it may be shown; nothing of it when nobody can tell."""
        if package not in self._packages:
            return dict.fromkeys(config, HIDDEN)
        found = dict(config)
        for schema in self._schemas(package) if found else ():
            found = without_secrets(found, schema)
        return found

    def whole(
        self, config: Mapping[str, Any], known: Mapping[str, Any], package: str
    ) -> dict[str, Any]:
        """Return what was shown with the known secrets in it, or raise `InvalidError`."""
        found = dict(config)
        for schema in self._schemas(package):
            found = with_secrets(found, known, schema)
        return found

    def spec(
        self, found: dict[str, Any] | None, specs: Iterable[Mapping[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Return what differs between the specifications as it may be shown."""
        if not found or not found.get("config"):
            return found
        config = found["config"]
        for package in {spec["package"] for spec in specs if spec and "package" in spec}:
            config = self.config(config, package)
        return {**found, "config": config}

    def _schemas(self, name: str) -> list[Schema]:
        if self._exchange != self._packages.exchanges:
            self._exchange = self._packages.exchanges
            self._known.clear()
        if name not in self._known:
            schemas = [package.manifest.schema for package in self._packages.versions(name)]
            self._known[name] = [schema for schema in schemas if secret_paths(schema)]
        return self._known[name]
