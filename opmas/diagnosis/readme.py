"""README.txt of an archive: what is in it, and what was taken out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opmas.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

ABOUT: Final = {
    "problems.txt": "what could not be had, a line each; the rest is complete",
    "timings.json": "how long each part took; the manager's, the bridge's and systemd's answers",
    "agents/compared.jsonl": "each agent as it should be and as it is; `differences` in words",
    "agents/views.jsonl": "each agent as the manager sees it: phase, health, usage, limits",
    "agents/declared.jsonl": "agent.json of each agent, beside its files",
    "doctor.json": "what `opmas doctor` finds, and how to mend it",
    "alerts.jsonl": "what needs somebody, as `opmas alert list` has it",
    "explain/": "`opmas agent explain` of each agent that is not well",
    "history/": "`opmas agent history` of each agent that is not well, the last states",
    "manager.json": "the manager's own state and problems",
    "packages.jsonl": "agent packages and their versions",
    "changes.jsonl": "changes under way and the last ones, from the database",
    "changes-seen.jsonl": "the same as the manager tells them",
    "events.jsonl": "the event log, the newest",
    "settings/": "each setting, its value and where it comes from",
    "versions.json": "opmas, Python, systemd, kernel, Debian packages",
    "host/": "memory, load, pressure, mounts, disks, cgroups",
    "processes.jsonl": "the processes of OPMAS: state, memory, what they wait in",
    "units/": "what systemd has loaded, and the unit files and drop-ins on the disk",
    "journal/": "the newest log lines of the manager, the API, workers and agents",
    "database/": "integrity, sizes, backups, rows of agents and of all small tables",
}
SECRETS: Final = """\
How secrets were taken out
--------------------------
Every file went through one redactor. It replaced
- values that packages mark as `secret: true`, wherever they stand, also written in base64,
  hexadecimal, URL or JSON escapes, and each line of them ({known} values were looked for);
- what stands under a name such as password, token, key, secret, credential, cookie: in YAML, JSON,
  ini files, environments, command lines and URLs; then that value in all other files ({found});
- what has the shape of a secret: users in URLs, Authorization headers, private keys, JSON Web
  Tokens, tokens of well-known services, hashes of passwords, long random strings.
`[redacted:4f2a91]` stands for a secret. The same six digits stand for the same secret, in this
archive only: they are made with a random key that was not kept.
{complete}What nobody marked, that stands under no telling name and looks like ordinary text cannot
be recognised. Look through the files before you give them to others.
"""
INCOMPLETE: Final = """\
Not all secrets of agents were known, so the agents' logs, messages and drop-ins are not in here.
"""


def render_readme(
    top: str, files: Iterable[str], known: int, found: int, *, knows_all: bool
) -> str:
    """Return the text of README.txt."""
    there = sorted(files)
    rows = [
        f"{path:24}{what}"
        for path, what in ABOUT.items()
        if any(file == path or (path.endswith("/") and file.startswith(path)) for file in there)
    ]
    complete = "" if knows_all else INCOMPLETE
    return "\n".join(
        (
            f"{top}: made by `opmas diagnose` of OPMAS {VERSION}",
            "",
            "Begin with problems.txt, agents/compared.jsonl and doctor.json.",
            "A .jsonl file has one document a line: `jq . FILE`.",
            "",
            *rows,
            "",
            SECRETS.format(known=known, found=found, complete=complete),
        )
    )
