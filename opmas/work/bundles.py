"""Versions of packages come and go: the jobs install and uninstall."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.bundles import installation
from opmas.core.documents import fields

if TYPE_CHECKING:
    from opmas.work.task import Task


def install(task: Task) -> dict[str, Any]:
    """Install the bundle at `path`, when it is of `name` and `version` if these are given."""
    with task.parameters() as given:
        path = given.need("path", fields.absolute_path, "/")
        name = given.get("name", fields.line, "")
        version = given.get("version", fields.line, "")
        delivered_by = given.get("delivered_by", fields.text, "")
    packages = task.settings.packages
    installed = installation.install(
        Path(path),
        place=installation.Place(
            root=task.paths.packages,
            trusted_keys=Path(packages.trusted_keys),
            allow_unsigned=packages.allow_unsigned,
        ),
        expect_name=name,
        expect_version=version,
        delivered_by=delivered_by,
        progress=task.report,
    )
    return {**asdict(installed), "trust": str(installed.trust)}


def uninstall(task: Task) -> dict[str, Any]:
    """Remove an installed version."""
    with task.parameters() as given:
        name = given.need("name", fields.line, "")
        version = given.need("version", fields.line, "")
    task.report("remove")
    installation.uninstall(task.paths.packages, name, version)
    return {}
