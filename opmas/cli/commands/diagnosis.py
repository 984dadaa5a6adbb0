"""The command that makes an archive for whoever is to help."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import Command, option

DIAGNOSE: Final = Command(
    ("diagnose",),
    "make one archive of what is needed to understand this host, without its secrets",
    "Makes one .tar.gz, within 5 seconds and 5 MB: versions, settings and where each comes from, "
    "agents as they should be and as they are, units, events, logs, changes, the database's "
    "integrity, the findings of doctor, timings, and explain of all that is not well. It works "
    "while the manager, the API, the database or D-Bus is down or hangs: what cannot be had is a "
    "line in problems.txt. Secrets are taken out; the archive's README.txt says how. Run it as "
    "root: what others may not read is left out. The archive is for its owner's eyes only.",
    (
        ("opmas diagnose", "an archive in this directory"),
        ("opmas diagnose --agent web --since 2d", "with more of the agent web"),
        ("ssh host opmas diagnose --output - > host.tar.gz", "from another host"),
    ),
    "diagnose:make_archive",
    (
        option(
            "--output",
            "-o",
            text="the archive's file or directory, - for standard output (default: a file named "
            "after host and time in this directory)",
            metavar="FILE",
            completes="files",
        ),
        option(
            "--agent",
            text="more of this agent: its whole log and all of its events (can be repeated)",
            metavar="NAME",
            dest="agents",
            action="append",
            completes="agents",
        ),
        option(
            "--since",
            text="logs and events since then, as with `opmas events` (default: 24h)",
            metavar="TIME",
        ),
    ),
    "opmas.diagnosis/v1",
)
