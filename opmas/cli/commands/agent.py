"""The commands `opmas agent …`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.history import HISTORY
from opmas.cli.commands.limits import LIMITS
from opmas.cli.commands.model import (
    AGENT,
    AGENTS,
    EXPECT,
    NO_WAIT,
    PATIENCE,
    PLAN_ONLY,
    TIMEOUT,
    WINDOW,
    Argument,
    Command,
    Group,
    operand,
    option,
)

GROUP: Final = Group(
    "agent",
    "see, create and control agents",
    "An agent is a named instance of a package with a configuration of its own. systemd runs it "
    "as the unit opmas-agent@NAME.service; these commands say what is wanted and show what is.",
)

SETTINGS: Final[tuple[Argument, ...]] = (
    option(
        "--config",
        text="the agent's configuration, YAML or JSON; - reads standard input. (To name the "
        "directory of opmas.yaml, write --config DIR before the command)",
        metavar="FILE",
        dest="config_file",
        completes="files",
    ),
    option(
        "--set",
        text="set one value of the configuration; dots go deeper, the value is JSON or else text",
        metavar="KEY=VALUE",
        dest="sets",
        action="append",
    ),
    option(
        "--limit",
        text="set a resource limit: memory_max, memory_high, tasks_max, cpu_quota, cpu_weight, "
        "io_weight; an empty value takes the package's again",
        metavar="LIMIT=VALUE",
        dest="limits",
        action="append",
    ),
    option(
        "--recovery",
        text="set what is done when it fails: first_delay, max_delay, jitter, max_failures, "
        "reset_after, undo, undo_within, undo_after, restart_dependency, slow_probe, give_up_on; "
        "times in seconds, statuses with commas; an empty value takes the package's again",
        metavar="KEY=VALUE",
        dest="recovery",
        action="append",
    ),
    option(
        "--grant",
        text="grant a need of the package, such as network=observe (may be repeated)",
        metavar="NEED",
        dest="grants",
        action="append",
    ),
    option("--grant-all", text="grant all that the package needs", action="store_true"),
    option(
        "--after",
        text="start after this agent (may be repeated)",
        metavar="AGENT",
        action="append",
        completes="agents",
    ),
    option("--stopped", text="do not run it until `agent start`", action="store_true"),
    WINDOW,
    option("--dry-run", text="show what would be asked, change nothing", action="store_true"),
    NO_WAIT,
)

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        ("agent", "list"),
        "list the agents",
        "One line an agent: its package, phase (what systemd shows), health (what it says of "
        "itself), memory, and a sentence where there is something to know.",
        (
            ("opmas agent list", "all agents"),
            ("opmas agent list --phase failed", "those that are given up"),
            ("opmas agent list --json | jq -r '.agents[].name'", "their names, for a script"),
        ),
        "agents:list_agents",
        (
            option(
                "--phase",
                text="only agents in this phase",
                metavar="PHASE",
                choices=(
                    "registered",
                    "starting",
                    "running",
                    "reloading",
                    "stopping",
                    "stopped",
                    "backoff",
                    "failed",
                    "quarantined",
                ),
            ),
            option(
                "--package",
                text="only agents of this package",
                metavar="PACKAGE",
                completes="packages",
            ),
        ),
        "opmas.agent-list/v1",
    ),
    Command(
        ("agent", "show"),
        "show all about an agent",
        "The agent's state, health checks, last exit, limits and use, grants and configuration. "
        "For the reasons behind its state ask `opmas agent explain`.",
        (
            ("opmas agent show web", "all about web"),
            ("opmas agent show web --json | jq .metrics", "the metrics that it sent last"),
        ),
        "agents:show_agent",
        (AGENT,),
        "opmas.agent/v1",
    ),
    HISTORY,
    LIMITS,
    Command(
        ("agent", "create"),
        "create an agent from a package",
        "Makes an agent and starts it, under systemd at once and at every boot. A package may "
        "need more than the closed sandbox gives; each such need is shown with its explanation "
        "and must be granted: by answering the question on a terminal, or by --grant.",
        (
            ("opmas agent create hostwatch", "an agent named as its package"),
            ("opmas agent create web --package hostwatch --set interval=30", "named otherwise"),
            (
                "opmas agent create hostwatch --grant network=observe --grant proc=host",
                "from a script, which cannot be asked",
            ),
        ),
        "configure:create_agent",
        (
            operand(
                "name",
                text="the agent's name (default: the package's)",
                metavar="NAME",
                nargs="?",
                completes="packages",
            ),
            option(
                "--package",
                text="the package (default: the one named as the agent)",
                metavar="PACKAGE",
                completes="packages",
            ),
            option(
                "--version",
                text="the version of the package (default: the newest)",
                metavar="VERSION",
            ),
            *SETTINGS,
            TIMEOUT,
        ),
        "opmas.agent/v1",
        (("--dry-run", "opmas.agent-plan/v1"),),
    ),
    Command(
        ("agent", "update"),
        "change an agent's version, configuration, limits or grants",
        "Changes what is named and leaves the rest. --config replaces the whole configuration; "
        "--set and --unset change single values of it. An agent that can takes a new "
        "configuration while it runs. One that somebody else changed meanwhile is left alone. "
        "Afterwards the agent is watched: one that does worse than before is put back as it was. "
        "With --version the command waits until that is decided; exit code 1 says that it was.",
        (
            ("opmas agent update web --set interval=10", "one value"),
            ("opmas agent update web --limit memory_max=128M --dry-run", "see it first"),
            ("opmas agent update web --version 1.4.0", "another version, undone if it is bad"),
        ),
        "configure:update_agent",
        (
            AGENT,
            option(
                "--package",
                text="run this package instead",
                metavar="PACKAGE",
                completes="packages",
            ),
            option(
                "--unset",
                text="take the package's default for this value again (may be repeated)",
                metavar="KEY",
                dest="unsets",
                action="append",
            ),
            option(
                "--version",
                text="run this version of the package; newest is the newest there is",
                metavar="VERSION",
            ),
            *SETTINGS,
            EXPECT,
            option(
                "--timeout",
                text="how long to wait for the outcome (default: 60; with --version until the "
                "change has ended)",
                metavar="SECONDS",
                number=float,
            ),
        ),
        "opmas.agent/v1",
        (("--dry-run", "opmas.agent-plan/v1"), ("--version", "opmas.change/v1")),
    ),
    Command(
        ("agent", "rollback"),
        "put an agent back to an earlier version",
        "Has the agent run the version that it ran before, or the one that is named, as a change "
        "like an update: it is rehearsed first and watched afterwards. `opmas package show` lists "
        "the versions that are there.",
        (
            ("opmas agent rollback web", "the version before"),
            ("opmas agent rollback web --version 1.3.0 --dry-run", "see it first"),
        ),
        "versions:roll_back_agent",
        (
            AGENT,
            option("--version", text="to this version", metavar="VERSION"),
            WINDOW,
            EXPECT,
            PLAN_ONLY,
            NO_WAIT,
            PATIENCE,
        ),
        "opmas.change/v1",
    ),
    Command(
        ("agent", "start"),
        "start agents",
        "Wants the agents to run, now and at every boot, and waits until they do. Takes back a "
        "stop made with `systemctl stop`, and releases a failed or quarantined agent.",
        (
            ("opmas agent start web", "start web and wait until it is ready"),
            ("opmas agent start web db --no-wait", "ask for both and return"),
        ),
        "control:start_agents",
        (AGENTS, NO_WAIT, TIMEOUT),
        "opmas.agent-results/v1",
    ),
    Command(
        ("agent", "stop"),
        "stop agents",
        "Wants the agents stopped, also after a boot, and waits until they are.",
        (("opmas agent stop web", "stop web and wait until it has ended"),),
        "control:stop_agents",
        (AGENTS, NO_WAIT, TIMEOUT),
        "opmas.agent-results/v1",
    ),
    Command(
        ("agent", "restart"),
        "restart agents",
        "Stops and starts the agents, and waits until they run. One that is stopped is started.",
        (("opmas agent restart web", "restart web and wait until it is ready"),),
        "control:restart_agents",
        (AGENTS, NO_WAIT, TIMEOUT),
        "opmas.agent-results/v1",
    ),
    Command(
        ("agent", "remove"),
        "remove agents",
        "Stops the agents and forgets them: their configuration is gone. What an agent itself "
        "stored below /var/lib/opmas-agents is kept unless --purge is given. Asks first on a "
        "terminal; a script says --yes.",
        (
            ("opmas agent remove web", "ask, then remove web"),
            ("opmas agent remove web --purge --yes", "and all that it stored, without asking"),
        ),
        "control:remove_agents",
        (
            AGENTS,
            option("--purge", text="delete what they stored, too", action="store_true"),
            option("--yes", "-y", text="do not ask", action="store_true"),
            EXPECT,
            PLAN_ONLY,
            NO_WAIT,
            TIMEOUT,
        ),
        "opmas.agent-results/v1",
        (("--dry-run", "opmas.change-list/v1"),),
    ),
    Command(
        ("agent", "logs"),
        "show an agent's log",
        "Shows what the agent wrote to the journal, by running journalctl for its unit. It works "
        "while the manager is down. --json prints journald's own JSON, one entry a line.",
        (
            ("opmas agent logs web", "the newest lines, in the pager"),
            ("opmas agent logs web -f", "follow it"),
            ("opmas agent logs web --since 10m", "the last ten minutes"),
        ),
        "logs:show_log",
        (
            AGENT,
            option("--follow", "-f", text="go on as new lines come", action="store_true"),
            option("--lines", "-n", text="the newest N lines", metavar="N", number=int),
            option("--since", text="lines since then: 10m, 2h, today, a time", metavar="TIME"),
        ),
        "journald's JSON",
    ),
    Command(
        ("agent", "new"),
        "begin a new agent package",
        "Makes the directory NAME of a new agent package: agent.yaml, code, a test and a README "
        "with what comes next. It passes its own test as it is made. Needs neither root nor the "
        "manager.",
        (
            ("opmas agent new web", "a Python class on the SDK, in ./web"),
            ("opmas agent new web --runtime exec", "a program of any kind"),
        ),
        "authoring.new:new_agent",
        (
            operand("name", text="the package's name, such as web-2", metavar="NAME"),
            option(
                "--runtime",
                text="python, a class on the SDK (default), or exec, a program",
                metavar="RUNTIME",
                choices=("python", "exec"),
            ),
            option(
                "--directory",
                text="make the directory NAME in this one (default: the current directory)",
                metavar="DIR",
                completes="directories",
            ),
        ),
        "opmas.package-created/v1",
    ),
    Command(
        ("agent", "explain"),
        "say why an agent is in its state",
        "Says in sentences why the agent is in its state, from which facts, what will happen "
        "next, and how its last changes came out.",
        (("opmas agent explain web", "why web is as it is"),),
        "agents:explain_agent",
        (AGENT,),
        "opmas.explanation/v1",
    ),
)
