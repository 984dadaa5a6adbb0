"""`opmas version`: what runs here, for people and bug reports."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from opmas.cli.exits import Exit
from opmas.cli.text import render_fields, visible
from opmas.errors import OpmasError
from opmas.version import VERSION

if TYPE_CHECKING:
    from opmas.cli.session import Session, View


def show_versions(session: Session) -> Exit:
    """Show the versions of everything that takes part."""
    manager: str | None = None
    systemd: str | None = None
    try:
        with session.new_client(2.0) as client:
            host = client.call("host.status")
            manager, systemd = host["version"], host["systemd"]["version"]
    except OpmasError:
        systemd = _systemd_version()
    document = {
        "opmas": VERSION,
        "manager": manager,
        "systemd": systemd,
        "python": ".".join(map(str, sys.version_info[:3])),
    }
    session.show("opmas.version/v1", document, render_versions)
    return Exit.OK


def _systemd_version() -> str | None:
    try:
        argv = ["systemctl", "--version"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = done.stdout.split("\n")[0]
    return first.removeprefix("systemd ") or None


def render_versions(document: dict[str, Any], view: View) -> str:
    """Return a line for each part."""
    absent = {"manager": "does not answer", "systemd": "not found"}
    fields = [(k, visible(v or absent[k])) for k, v in document.items()]
    return render_fields(fields, view.palette)
