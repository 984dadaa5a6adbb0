"""Agents as they should be and as they are, side by side. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "opmas-agent@"
SUFFIX: Final = ".service"
UP: Final = frozenset({"active", "reloading"})
ON_THE_WAY: Final = frozenset({"activating", "deactivating"})

Rows = list[dict[str, Any]]


def compare(
    stored: Rows | None, saved: Mapping[str, Any] | None, units: Rows | None, views: Rows | None
) -> Rows:
    """Return a row for each agent that anybody knows, with what differs in words.

    `stored` are the database's, `saved` the specifications beside the agents' files, `units`
    what systemd lists, `views` what the manager says; each is None when it could not be had.
    """
    by_name = {
        "database": _named(stored, "name"),
        "file": None if saved is None else dict(saved),
        "systemd": _of_units(units),
        "manager": _named(views, "name"),
    }
    names = {name for known in by_name.values() if known for name in known}
    return [_row(name, by_name) for name in sorted(names)]


def _named(rows: Rows | None, key: str) -> dict[str, Any] | None:
    return None if rows is None else {str(row.get(key)): row for row in rows}


def _of_units(units: Rows | None) -> dict[str, Any] | None:
    if units is None:
        return None
    named = {str(unit.get("unit", "")): unit for unit in units}
    return {
        name.removeprefix(PREFIX).removesuffix(SUFFIX): unit
        for name, unit in named.items()
        if name.startswith(PREFIX) and name.endswith(SUFFIX)
    }


def _row(name: str, known: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    stored, saved, unit, view = (
        None if (where := known[each]) is None else where.get(name)
        for each in ("database", "file", "systemd", "manager")
    )
    expected = _desired(stored) or _desired(saved) or (view or {}).get("desired")
    active = None if known["systemd"] is None else (unit or {}).get("active", "not loaded")
    row = {
        "agent": name,
        "expected": expected,
        "active": active,
        "sub": (unit or {}).get("sub"),
        "phase": (view or {}).get("phase") or ((stored or {}).get("condition") or {}).get("phase"),
    }
    known_as = {source: name in where for source, where in known.items() if where is not None}
    differences = [*_presence(known_as, expected), *_state(expected, active, view)]
    return {**row, "known_to": known_as, "differences": differences}


def _desired(row: dict[str, Any] | None) -> str | None:
    spec = (row or {}).get("spec")
    return str(spec.get("desired")) if isinstance(spec, dict) else None


def _presence(known: dict[str, bool], expected: str | None) -> list[str]:
    found = []
    if known.get("database") and known.get("file") is False and expected == "running":
        found.append("it is in the database, and has no agent.json")
    if known.get("file") and known.get("database") is False:
        found.append("it has an agent.json, and is not in the database")
    if "database" in known and "manager" in known and known["database"] != known["manager"]:
        found.append("the manager and its database do not agree that it exists")
    if known.get("systemd") and not any(known.get(w) for w in ("database", "file", "manager")):
        found.append("systemd has its unit, and nobody declared it")
    return found


def _state(expected: str | None, active: str | None, view: dict[str, Any] | None) -> list[str]:
    if active is None or expected is None:
        return []
    found = []
    if expected == "running" and active not in UP:
        found.append(f"it should run, and its unit is {active}")
    if expected != "running" and active in UP:
        found.append(f"it should be {expected}, and its unit is {active}")
    says_running = (view or {}).get("phase") == "running"
    if view is not None and says_running != (active in UP) and active not in ON_THE_WAY:
        found.append(f"the manager says {view.get('phase')}, systemd says {active}")
    return found
