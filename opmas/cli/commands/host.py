"""The commands about the host as a whole: status, events, doctor and the rest."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import Command, Group, operand, option

TOKEN_GROUP: Final = Group(
    "token",
    "manage the tokens of the REST API",
    "A token lets a program use the REST API. Only its hash is stored, so it is shown once.",
)

STATUS: Final = Command(
    ("status",),
    "show the host, the manager and all agents",
    "One look at everything: the manager's state, its problems, and a line for each agent. Exit "
    "code 0 says that all is well, 1 that something needs attention (a problem of the manager, "
    "an agent in backoff, failed or quarantined, or one that is degraded or unhealthy), 4 that "
    "the manager does not answer.",
    (
        ("opmas status", "what runs on this host"),
        ("opmas status >/dev/null || mail -s 'opmas' root", "in a script"),
    ),
    "status:show_status",
    (),
    "opmas.status/v1",
)

EVENTS: Final = Command(
    ("events",),
    "show what happened on this host",
    "Prints events, the oldest first: the newest 50, or all since a time or after an event's "
    "number. With --follow it goes on as they come, misses none and repeats none, also over a "
    "restart of the manager. --json gives one document, with --follow one event (CloudEvents "
    "1.0) a line.",
    (
        ("opmas events --since 1h", "the last hour"),
        ("opmas events --follow --agent web", "what happens to web, as it happens"),
        ("opmas events --after 1200 --follow --json", "for a program that keeps its place"),
    ),
    "events:show_events",
    (
        option("--follow", "-f", text="go on as events come", action="store_true"),
        option("--lines", "-n", text="the newest N events", metavar="N", number=int),
        option(
            "--since",
            text="events since then: a duration (10m, 2h, 1h30m), today, yesterday, or a time "
            "(2026-01-31T18:00:00Z)",
            metavar="TIME",
        ),
        option("--after", text="events after this number", metavar="NUMBER", number=int),
        option("--agent", text="only of this agent", metavar="NAME", completes="agents"),
        option("--type", text="only of this type, such as opmas.agent.phase", metavar="TYPE"),
    ),
    "opmas.event-list/v1",
)

TOKENS: Final = (
    Command(
        ("token", "create"),
        "make a token for the REST API",
        "Makes a token and prints it, this once: only a digest of it is stored. Works on the "
        "API's database itself, so the API need not run; be root.",
        (
            ("opmas token create grafana", "a token named grafana"),
            ("TOKEN=$(opmas token create ci --expires 90d)", "in a script"),
        ),
        "tokens:create_token",
        (
            operand("name", text="who or what will use it, such as ci", metavar="NAME", nargs="?"),
            option("--name", text="the same, as an option", metavar="NAME", dest="name_option"),
            option(
                "--expires", text="lifetime such as 90d, 12h, 1y (default: no end)", metavar="TIME"
            ),
        ),
        "opmas.token-created/v1",
    ),
    Command(
        ("token", "list"),
        "list the tokens of the REST API",
        "Lists the tokens with their ends and last use; never a token itself.",
        (("opmas token list", "who may use the API"),),
        "tokens:list_tokens",
        (),
        "opmas.token-list/v1",
    ),
    Command(
        ("token", "revoke"),
        "revoke a token of the REST API",
        "Closes the token at once, also for connections that are open.",
        (("opmas token revoke grafana", "grafana may not use the API any more"),),
        "tokens:revoke_token",
        (operand("token", text="its name or ID", metavar="TOKEN"),),
        "opmas.token/v1",
    ),
)

DOCTOR: Final = Command(
    ("doctor",),
    "check this host and say how to mend what is wrong",
    "Checks what OPMAS needs of the host: systemd, cgroups, D-Bus, units, sockets, users, "
    "permissions, disk, clock, journal, database and the agents' Python. It works while the "
    "manager is down, changes nothing, and says how to mend each fault. Run it as root: others "
    "cannot see everything. Exit code 1 says that a check failed; warnings alone give 0.",
    (
        ("opmas doctor", "check everything"),
        ("opmas doctor --json | jq '.checks[] | select(.status == \"failed\")'", "in a script"),
    ),
    "doctor:show_checks",
    (),
    "opmas.doctor/v1",
)

VERSION: Final = Command(
    ("version",),
    "show the versions of opmas, the manager, systemd and Python",
    "The manager's version can differ from this command's until it is restarted after an "
    "upgrade; it is shown as not answering when it is down, and the exit code is 0 all the same.",
    (("opmas version", "for a bug report"),),
    "version:show_versions",
    (),
    "opmas.version/v1",
)

COMPLETION: Final = Command(
    ("completion",),
    "print the shell completion",
    "Prints the completion script of a shell. The Debian package installs it for bash. "
    "`opmas completion agents`, `packages` and `changes` print the names that the script offers, "
    "one a line, or nothing when the manager does not answer within half a second.",
    (
        ('eval "$(opmas completion bash)"', "in this bash"),
        (
            'autoload bashcompinit && bashcompinit && eval "$(opmas completion bash)"',
            "in this zsh",
        ),
    ),
    "completion:print_completion",
    (
        operand(
            "what",
            text="what to print: bash, or the names of agents, packages or changes",
            metavar="WHAT",
            choices=("bash", "agents", "packages", "changes"),
        ),
    ),
)
