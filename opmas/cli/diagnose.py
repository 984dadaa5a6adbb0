"""`opmas diagnose`: the archive for whoever is to help."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.cli.doctor import host_of, make_document, settings_of
from opmas.cli.exits import Exit, UsageError
from opmas.cli.moments import parse_since
from opmas.cli.text import plural, size, visible
from opmas.core.agent.terms import check_name
from opmas.diagnosis.archive import write_archive
from opmas.diagnosis.parts import Outcome, Part
from opmas.diagnosis.programs import ask
from opmas.diagnosis.report import Report, make_report
from opmas.diagnosis.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opmas.cli.checks.model import Output
    from opmas.cli.session import Session, View

SINCE: Final = "24h"
SHOWN: Final = 10  # problems that a terminal is told; the archive has all
SOON: Final = 0.6  # seconds for the manager, with doctor's other checks to follow
PRIORITY: Final = -10  # root's may; on a busy host the deadlines would leave little
STARTED: Final = 19  # of the fields of proc(5)'s stat behind the name: starttime
LONGEST_START: Final = 1.5  # seconds; what an interpreter needs, not who calls this as a function
DOCTOR: Final = 2.2  # seconds


def make_archive(session: Session) -> Exit:
    """Make the archive and say where it is."""
    begin = _begin()
    with contextlib.suppress(OSError):  # it takes a second of CPU; who is in need of it is in need
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    now = datetime.now(UTC)
    output = session.args.output
    if output == "-" and (session.as_json or sys.stdout.isatty()):
        other = "--json" if session.as_json else "a terminal"
        raise UsageError(f"cannot write an archive and {other}: name a file with --output")
    name = f"opmas-diagnosis-{_host_name()}-{now:%Y%m%dT%H%M%SZ}"
    path = _path(output, name)
    scene = _scene(session, now)
    report = make_report(scene, [_doctor(session)], name, now.timestamp(), begin)
    if path is None:
        sys.stdout.buffer.write(report.content)
        sys.stdout.buffer.flush()
        _note_problems(session, report)
        return Exit.OK
    write_archive(path, report.content)
    session.show("opmas.diagnosis/v1", make_result(report, path), render_result)
    return Exit.OK


def _begin() -> float:
    """Return when this process was started, monotonic: on a busy host that is a while ago."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        started = int(fields[STARTED]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError):
        age = 0.0
    return time.monotonic() - min(max(age, 0.0), LONGEST_START)


def make_result(report: Report, path: Path) -> dict[str, Any]:
    """Return the document `opmas.diagnosis/v1`."""
    return {
        "path": str(path),
        "bytes": len(report.content),
        "sha256": hashlib.sha256(report.content).hexdigest(),
        "seconds": report.seconds,
        "files": list(report.files),
        "problems": list(report.problems),
        "differences": report.differences,
        "secrets": report.secrets,
    }


def render_result(document: dict[str, Any], view: View) -> str:
    """Return where the archive is and what could not be had."""
    path = view.palette.paint(visible(document["path"]), "bold")
    files = plural(len(document["files"]), "file")
    lines = [
        f"{path}: {files}, {size(document['bytes'])}, {document['seconds']:g} s",
        "secrets were taken out; README.txt in it says how. Look through it before you share it.",
    ]
    problems = document["problems"]
    if problems:
        lines.append(f"{plural(len(problems), 'thing')} could not be had (problems.txt):")
        lines += [f"  {visible(problem)}" for problem in problems[:SHOWN]]
    return "\n".join(lines)


def _note_problems(session: Session, report: Report) -> None:
    if report.problems:
        session.note(f"{plural(len(report.problems), 'thing')} could not be had: problems.txt")


def _path(output: str | None, name: str) -> Path | None:
    if output == "-":
        return None
    path = Path(output or ".")
    return path / f"{name}.tar.gz" if path.is_dir() else path


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:64] or "host"


def _scene(session: Session, now: datetime) -> Scene:
    settings, _ = settings_of(session)
    return Scene(
        root=Path("/"),
        settings=settings,
        config_dir=os.path.abspath(session.config_dir),  # noqa: PTH100 - links stay as they are
        socket=host_of(session, settings).socket,
        environ=session.environ,
        since=parse_since(session.args.since or SINCE, now),
        names=tuple(check_name(name) for name in dict.fromkeys(session.args.agents or ())),
        is_root=os.geteuid() == 0,
    )


def _doctor(session: Session) -> Part:
    from opmas.cli.doctor import check_all

    def gather(out: Outcome) -> None:
        def run(argv: Sequence[str]) -> Output:
            return _bounded(argv, out.until)

        settings, configuration = settings_of(session)
        host = host_of(session, settings)._replace(run=run, patience=SOON)
        checks = [configuration]
        try:
            for check in check_all(host):
                checks.append(check)  # noqa: PERF402 - those before one that fails count
        finally:
            out.add("doctor.json", make_document(checks))

    return Part("doctor", DOCTOR, gather)


def _bounded(argv: Sequence[str], until: float) -> Output:
    from opmas.cli.checks.model import NOT_FOUND, Output

    answer = ask(argv, until, 64 * 1024)
    code = NOT_FOUND if answer.problem else 0
    return Output(code, answer.text.strip(), answer.problem)
