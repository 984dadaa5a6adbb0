"""What is shown of configurations: all but what their packages call secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.core.secret import HIDDEN, secret_paths, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opmas.packages.catalogue import Package
    from opmas.packages.collection import Packages


class Discretion:
    """Knows which configurations hold secrets, and takes these out."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._with_secrets: dict[str, tuple[Package, bool]] = {}  # a list asks for each agent

    def config(self, config: Mapping[str, Any], package: Package | None) -> dict[str, Any]:
        """Return the configuration as it may be shown; nothing of it when nobody can tell."""
        if package is None:
            return dict.fromkeys(config, HIDDEN)
        if not config or not self._has_secrets(package):
            return dict(config)
        return without_secrets(config, package.manifest.schema)

    def spec(
        self, found: dict[str, Any] | None, specs: Iterable[Mapping[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Return what differs between specifications as it may be shown.

        What is secret in one version that `specs` name, is so in all.
        """
        if not found or not found.get("config"):
            return found
        config = found["config"]
        for spec in specs:
            if spec and "package" in spec:
                package = self._packages.find(spec["package"], spec.get("version", ""))
                config = self.config(config, package)
        return {**found, "config": config}

    def _has_secrets(self, package: Package) -> bool:
        known = self._with_secrets.get(package.directory)
        if known is None or known[0] is not package:
            if len(self._with_secrets) > len(self._packages.all()):
                self._with_secrets.clear()
            known = (package, bool(secret_paths(package.manifest.schema)))
            self._with_secrets[package.directory] = known
        return known[1]
