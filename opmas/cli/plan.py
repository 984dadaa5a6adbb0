"""`--dry-run`: what a request would ask of the manager, and what is still to be granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opmas.cli.agents import render_config, render_policy
from opmas.cli.packages import render_needs
from opmas.cli.story import plan_fields
from opmas.cli.text import render_fields, visible

if TYPE_CHECKING:
    from collections.abc import Collection

    from opmas.cli.session import View


def make_plan(
    wanted: dict[str, Any],
    package: dict[str, Any],
    granted: Collection[str],
    before: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the plan `opmas.agent-plan/v1`; `before` is the agent that is to change."""
    needs = [{**need, "granted": need["name"] in granted} for need in package["needs"]]
    same = ("package", "desired", "config", "after")
    return {
        "action": "update" if before else "create",
        "name": wanted["name"],
        "package": wanted["package"],
        "package_version": package["version"],
        "desired": wanted["desired"],
        "config": wanted["config"],
        "limits": wanted["limits"],
        "recovery": wanted.get("recovery", {}),
        "after": wanted["after"],
        "needs": needs,
        "missing": [need["name"] for need in needs if not need["granted"]],
        "changes": [key for key in same if before and (before[key] or {}) != (wanted[key] or {})],
        "change": None,
    }


def _planned(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the manager's plan, or what changes when it has made none."""
    if document["change"]:
        return plan_fields(document["change"])
    return [("changes", visible(", ".join(document["changes"])))]


def render_plan(document: dict[str, Any], view: View) -> str:
    """Return the plan and what is still missing for it."""
    palette = view.palette
    granted = [need for need in document["needs"] if need["granted"]]
    missing = [need for need in document["needs"] if not need["granted"]]
    limits = ", ".join(f"{name} {value}" for name, value in document["limits"].items())
    fields = [
        ("package", visible(f"{document['package']} {document['package_version']}")),
        ("wanted", visible(document["desired"])),
        ("limits", visible(limits) or "the package's"),
        ("recovery", visible(render_policy(document["recovery"]))),
        ("after", visible(", ".join(document["after"]))),
        ("config", render_config(document["config"])),
        *_planned(document),
        ("granted", render_needs(granted, palette)),
        ("not granted", render_needs(missing, palette)),
    ]
    title = palette.paint(f"would {document['action']} agent {document['name']}", "bold")
    end = "nothing was done" + ("; --grant what is not granted yet" if missing else "")
    return "\n".join((title, render_fields(fields, palette), palette.paint(end, "dim")))
