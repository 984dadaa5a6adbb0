"""`opmas package list|show|scan`: the code that agents are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opmas.cli.agents import render_config, render_limits
from opmas.cli.exits import Exit
from opmas.cli.moments import local
from opmas.cli.names import call_for_package
from opmas.cli.text import Cell, Palette, render_fields, render_table, visible, wrap

if TYPE_CHECKING:
    from opmas.cli.session import Session, View


NAMED: Final = 3  # agents that fit a table's cell by name
TRUST_STYLES: Final = {"unsigned": "warn"}  # nobody vouches for it: shown wherever it is


def list_packages(session: Session) -> Exit:
    """Show the packages on this host."""
    session.show("opmas.package-list/v1", session.manager.call("package.list"), render_packages)
    return Exit.OK


def show_package(session: Session) -> Exit:
    """Show one package with its needs and defaults."""
    package = call_for_package(session.manager, "package.show", session.args.name)
    session.show("opmas.package/v1", package, render_package)
    return Exit.OK


def scan_packages(session: Session) -> Exit:
    """Read the package directories again; the code says whether a package was refused."""
    found = session.manager.call("package.scan")
    session.show("opmas.package-scan/v1", found, render_scan)
    return Exit.FAILED if found["refused"] else Exit.OK


def render_packages(document: dict[str, Any], view: View) -> str:
    """Return a table with a line for each package."""
    if not document["packages"]:
        return "no agent packages yet: `apt install opmas-agent-hostwatch`, then look again"
    head = ("PACKAGE", "VERSION", "TRUST", "STATE", "AGENTS", "NEEDS", "SUMMARY")
    rows = [_row(package) for package in document["packages"]]
    return render_table(head, rows, view.width, view.palette)


def _row(package: dict[str, Any]) -> tuple[Cell, ...]:
    agents, trust = package["agents"], _worst_trust(package)
    shown = ", ".join(agents) if len(agents) <= NAMED else f"{len(agents)} agents"
    return (
        (package["name"], "bold"),
        (_newest(package), ""),
        (trust or "-", TRUST_STYLES.get(trust, "")),
        (_state(package), "good" if package["state"] == "ready" else "bad"),
        (shown or "-", ""),
        (", ".join(need["name"] for need in package["needs"]) or "-", ""),
        (package["summary"], ""),
    )


def _newest(package: dict[str, Any]) -> str:
    more = len(package.get("versions", ())) - 1
    return f"{package['version']} (+{more})" if more > 0 else str(package["version"])


def _state(package: dict[str, Any]) -> str:
    return f"{package['state']}, held" if package.get("held") else str(package["state"])


def _worst_trust(package: dict[str, Any]) -> str:
    found = {v["version"]: trust_of(v) for v in package.get("versions", ())}
    if "unsigned" in found.values():
        return "unsigned"
    return found.get(package["version"], "")


def trust_of(version: dict[str, Any]) -> str:
    """Return who vouches for a version: `dpkg`, `key` and its id, `unsigned`, or you yourself."""
    if version["trust"] == "key":
        return f"key {version['key']}"
    return str(version["trust"] or version["source"])


def render_package(document: dict[str, Any], view: View) -> str:
    """Return everything about one package."""
    palette = view.palette
    style = "good" if document["state"] == "ready" else "bad"
    name = palette.paint(document["name"], "bold")
    state = palette.paint(_state(document), style)
    source = document["deb"] or document["source"]
    defaults = (document.get("manifest") or {}).get("defaults") or {}
    fields = [
        ("runtime", visible(document["runtime"])),
        ("from", visible(f"{source}, {document['path']}")),
        ("agents", visible(", ".join(document["agents"]) or "none")),
        ("versions", _versions(document.get("versions", []), palette)),
        ("requires", visible(", ".join(document.get("requires", ())))),
        ("wants", visible(", ".join(document.get("wants", ())))),
        ("conflicts", visible(", ".join(document.get("conflicts", ())))),
        ("needs", render_needs(document["needs"], palette) or "nothing beyond the sandbox"),
        ("limits", render_limits(document["limits"])),
        ("defaults", render_config(defaults) if defaults else ""),
    ]
    return "\n".join(
        (
            f"{name} {visible(document['version'])}: {state}",
            wrap(document["summary"], view.width, "  "),
            render_fields(fields, palette),
        )
    )


def _versions(versions: list[dict[str, Any]], palette: Palette) -> str:
    room = max((len(visible(version["version"])) for version in versions), default=0)
    lines = []
    for found in versions:
        trust = trust_of(found)
        parts = [
            palette.paint(trust, TRUST_STYLES.get(trust, "")),
            *([visible(f"from {found['delivered_by']}")] if found["delivered_by"] else ()),
            visible(f"for {', '.join(found['agents'])}") if found["agents"] else "not used",
        ]
        if found["bad_until"]:
            bad = f"was undone, not tried again by itself before {local(found['bad_until'])}"
            parts.append(palette.paint(bad, "bad"))
        lines.append(f"{visible(found['version']).ljust(room)}  {', '.join(parts)}")
    return "\n".join(lines)


def render_needs(needs: list[dict[str, Any]], palette: Palette) -> str:
    """Return needs with their explanations, one a line."""
    room = max((len(visible(need["name"])) for need in needs), default=0)
    lines = []
    for need in needs:
        name = palette.paint(visible(need["name"]).ljust(room), "warn")
        lines.append(f"{name}  {visible(need['explanation'])}")
    return "\n".join(lines)


def render_scan(document: dict[str, Any], view: View) -> str:
    """Return what the scan found that was not known before, and what it refused."""
    lines = []
    for kind, style in (("added", "good"), ("changed", "warn"), ("removed", "warn")):
        lines += [f"{view.palette.paint(kind, style)} {visible(name)}" for name in document[kind]]
    for refused in document["refused"]:
        lines.append(f"{view.palette.paint('refused', 'bad')} {visible(refused['path'])}")
        lines += [f"  {visible(problem)}" for problem in refused["problems"]]
    return "\n".join(lines) or "nothing changed"
