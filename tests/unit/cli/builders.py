"""Documents as the manager gives them, with defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from opmas.cli.session import View
from opmas.cli.text import PLAIN, Palette

NOW: Final = datetime(2026, 1, 31, 18, 0, 0, tzinfo=UTC)
MIB: Final = 1024**2


def view(width: int = 120, palette: Palette = PLAIN) -> View:
    """Return a view at `NOW`."""
    return View(width, palette, NOW)


def agent(name: str = "web", **changes: Any) -> dict[str, Any]:
    """Return an AgentView that runs and is healthy."""
    return {
        "name": name,
        "package": "hostwatch",
        "package_version": "1.0.0",
        "version": "1.0.0",
        "trust": "dpkg",
        "change": None,
        "unit": f"opmas-agent@{name}.service",
        "desired": "running",
        "phase": "running",
        "reason": "ready",
        "message": "it said that it is ready",
        "since": "2026-01-31T15:58:00.000000Z",
        "health": "healthy",
        "health_message": "",
        "checks": [],
        "held_by": None,
        "needs_restart": False,
        "main_pid": 4242,
        "restarts": 0,
        "status_text": "",
        "last_exit": None,
        "config_version": 1,
        "config": {},
        "limits": {
            "memory_max": 64 * MIB,
            "memory_high": 48 * MIB,
            "tasks_max": 16,
            "cpu_quota": 20,
            "cpu_weight": 50,
            "io_weight": 50,
        },
        "grants": ["network=observe"],
        "needs": ["network=observe"],
        "after": [],
        "usage": {"memory_bytes": 12 * MIB, "tasks": 2, "cpu_seconds": 3.25},
        "revision": 1,
        "created_at": "2026-01-31T15:00:00.000000Z",
        "updated_at": "2026-01-31T15:00:00.000000Z",
        "managed_by": "manager",
        **changes,
    }


def package(name: str = "hostwatch", *needs: str, **changes: Any) -> dict[str, Any]:
    """Return a PackageView."""
    return {
        "name": name,
        "version": "1.0.0",
        "summary": "watches the host",
        "runtime": "python",
        "source": "deb",
        "deb": f"opmas-agent-{name}",
        "path": f"/usr/lib/opmas/agents/{name}",
        "needs": [{"name": need, "explanation": f"it opens {need}"} for need in needs],
        "limits": {
            "memory_max": 64 * MIB,
            "memory_high": 48 * MIB,
            "tasks_max": 16,
            "cpu_quota": 20,
            "cpu_weight": None,
            "io_weight": None,
        },
        "agents": [],
        "state": "ready",
        "held": False,
        "requires": [],
        "wants": [],
        "conflicts": [],
        "versions": [version()],
        **changes,
    }


def version(number: str = "1.0.0", **changes: Any) -> dict[str, Any]:
    """Return one version of a package."""
    return {
        "version": number,
        "source": "deb",
        "trust": "dpkg",
        "key": "",
        "delivered_by": "",
        "installed_at": "2026-01-31T15:00:00.000000Z",
        "bytes": 20480,
        "agents": [],
        "bad_until": None,
        **changes,
    }


def change(number: int = 17, **changes: Any) -> dict[str, Any]:
    """Return a ChangeView of an update of web that came out well."""
    return {
        "id": number,
        "kind": "update",
        "subject": "agent/web",
        "agents": ["web"],
        "package": "hostwatch",
        "author": "robin",
        "state": "committed",
        "reason": "passed",
        "message": "it does as well as before",
        "before": {"version": "1.0.0"},
        "after": {"version": "1.1.0"},
        "tasks": [
            {"name": "switch", "state": "done", "message": ""},
            {"name": "watch", "state": "done", "message": ""},
        ],
        "progress": None,
        "window": 60,
        "watch_left": None,
        "waits_for": None,
        "undo_of": None,
        "created_at": "2026-01-31T17:55:00.000000Z",
        "updated_at": "2026-01-31T17:56:02.000000Z",
        "ended_at": "2026-01-31T17:56:02.000000Z",
        "serial": 9,
        "facts": [],
        "restarts": ["web"],
        **changes,
    }


def host(**changes: Any) -> dict[str, Any]:
    """Return the answer of `host.status`."""
    return {
        "version": "0.1.0",
        "host": "web-1",
        "started_at": "2026-01-31T17:00:00.000000Z",
        "boot_id": "0" * 32,
        "state": "ok",
        "problems": [],
        "systemd": {"version": "252 (252.39-1~deb12u2)", "connection": "private"},
        "agents": {"total": 1, "phases": {"running": 1}, "health": {"healthy": 1}},
        "packages": 2,
        "events": {"first": 1, "last": 9},
        "memory_bytes": 30 * MIB,
        **changes,
    }


def event(event_type: str, subject: str = "agent/web", **data: Any) -> dict[str, Any]:
    """Return an event."""
    return {
        "specversion": "1.0",
        "id": "12",
        "source": "/hosts/web-1",
        "type": event_type,
        "subject": subject,
        "time": "2026-01-31T17:59:00.123456Z",
        "sequence": 12,
        "datacontenttype": "application/json",
        "data": data,
    }
