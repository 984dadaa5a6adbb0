"""`opmas doctor`: every check of the host, and how to mend what is not well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.cli.checks import backups, files, manager, systemd
from opmas.cli.checks.model import FAILED, OK, WARNING, Check, Host, run_program
from opmas.cli.exits import Exit
from opmas.cli.text import plural, visible
from opmas.core.documents.settings import Settings, parse_settings
from opmas.errors import ConfigError
from opmas.packages.yamlfile import read_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.cli.session import Session, View

STYLES = {OK: "good", WARNING: "warn", FAILED: "bad"}


def show_checks(session: Session) -> Exit:
    """Check everything; the code says whether a check failed."""
    settings, configuration = settings_of(session)
    checks = [configuration, *check_all(host_of(session, settings))]
    document = make_document(checks)
    session.show("opmas.doctor/v1", document, render_checks)
    return Exit.FAILED if document["state"] == FAILED else Exit.OK


def host_of(session: Session, settings: Settings) -> Host:
    """Return this host, as the checks look at it."""
    given = getattr(session.args, "socket", None) or session.environ.get("OPMAS_MANAGER_SOCKET")
    return Host(
        run=run_program,
        root=Path("/"),
        settings=settings,
        config_dir=Path(session.config_dir),
        socket=given or settings.manager.socket,
        owner=0,
        is_root=os.geteuid() == 0,
    )


def settings_of(session: Session) -> tuple[Settings, Check]:
    """Return the manager's settings, the defaults when they are wrong, and whether they are."""
    where = f"{session.config_dir}/opmas.yaml"
    try:
        document = read_config(Path(session.config_dir), "opmas.yaml")
        settings = parse_settings(document, session.environ, where=where)
    except ConfigError as error:
        found = "; ".join((error.message, *error.problems))
        mend = f"edit {where}: opmas.yaml(5)"
        return Settings(), Check("settings", FAILED, found, mend)
    return settings, Check("settings", OK, f"{where} is valid")


def check_all(host: Host) -> Iterator[Check]:
    """Yield every check, from the ground up."""
    yield systemd.check_systemd(host)
    yield systemd.check_cgroups(host)
    yield systemd.check_dbus(host)
    yield from systemd.check_units(host)
    yield from manager.check_manager(host)
    yield manager.check_rescue(host)
    yield manager.check_agent_socket(host)
    yield files.check_users(host)
    yield from files.check_directories(host)
    yield files.check_disk(host)
    yield files.check_database(host)
    yield backups.check_backups(host)
    yield manager.check_clock(host)
    yield systemd.check_journal(host)
    yield files.check_python(host)


def make_document(checks: list[Check]) -> dict[str, Any]:
    """Return the document `opmas.doctor/v1`; its state is the worst of the checks."""
    found = {check.status for check in checks}
    state = next((status for status in (FAILED, WARNING) if status in found), OK)
    return {"state": state, "checks": [check._asdict() for check in checks]}


def render_checks(document: dict[str, Any], view: View) -> str:
    """Return a line for each check, and below it how to mend what is not well."""
    checks, palette = document["checks"], view.palette
    room = max(len(visible(check["name"])) for check in checks)
    lines = []
    for check in checks:
        status = palette.paint(check["status"].ljust(7), STYLES[check["status"]])
        name = palette.paint(visible(check["name"]).ljust(room), "bold")
        lines.append(f"{status}  {name}  {visible(check['found'])}")
        if check["mend"]:
            lines.append(f"{' ' * (room + 11)}{palette.paint('mend: ' + check['mend'], 'dim')}")
    return "\n".join((*lines, "", _summary(checks)))


def _summary(checks: list[dict[str, Any]]) -> str:
    counts = {s: sum(check["status"] == s for check in checks) for s in (FAILED, WARNING)}
    if not any(counts.values()):
        return f"all {len(checks)} checks are well"
    return f"{plural(len(checks), 'check')}: {counts[FAILED]} failed, " + plural(
        counts[WARNING], "warning"
    )
