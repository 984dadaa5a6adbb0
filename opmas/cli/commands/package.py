"""The commands `opmas package …`."""

from __future__ import annotations

from typing import Final

from opmas.cli.commands.model import (
    NO_WAIT,
    PACKAGE,
    PATIENCE,
    PLAN_ONLY,
    WINDOW,
    Command,
    Group,
    operand,
    option,
)

GROUP: Final = Group(
    "package",
    "see, install and update agent packages",
    "A package is code that agents are made from. It comes as a bundle (NAME-VERSION.opmas) or by "
    "apt (opmas-agent-NAME), of which the manager notices by itself. Several versions of one "
    "package can be here at once; each agent runs one of them.",
)

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        ("package", "list"),
        "list the agent packages",
        "The packages that agents can be created from, and the agents made from each.",
        (("opmas package list", "what can be run here"),),
        "packages:list_packages",
        (),
        "opmas.package-list/v1",
    ),
    Command(
        ("package", "show"),
        "show a package, its versions, needs and configuration",
        "What the package is, the versions that are here and who vouches for each, what it needs "
        "beyond the closed sandbox and why, its limits, and the defaults of its configuration.",
        (("opmas package show hostwatch", "before creating an agent from it"),),
        "packages:show_package",
        (PACKAGE,),
        "opmas.package/v1",
    ),
    Command(
        ("package", "scan"),
        "look for packages now",
        "Reads the package directories again. apt does this by a trigger; it is for packages that "
        "were put there by hand. Names what is wrong with a package that is refused. Exit code 1 "
        "says that one was.",
        (("opmas package scan", "after copying a package into a directory of packages_path"),),
        "packages:scan_packages",
        (),
        "opmas.package-scan/v1",
    ),
    Command(
        ("package", "install"),
        "install a package, from a bundle or by apt",
        "Installs a version of a package and touches no agent. A name is looked for in the bundle "
        "directories and in apt's repositories; a file is a bundle or a Debian package. A bundle "
        "is verified before anything of it is read: only what a trusted key signed is installed. "
        "Nobody vouches for a .deb file, and its scripts run as root: only root may name one. "
        "Installing what is there already changes nothing.",
        (
            ("opmas package install hostwatch", "the newest version there is"),
            ("opmas package install hostwatch=1.4.0 --dry-run", "see it first"),
            ("opmas package install ./web-1.0.0.opmas", "from a file"),
        ),
        "versions:install_package",
        (
            operand(
                "what",
                text="NAME, NAME=VERSION, or the path of an .opmas or .deb file",
                metavar="PACKAGE",
                completes="files",
            ),
            PLAN_ONLY,
            NO_WAIT,
            PATIENCE,
        ),
        "opmas.change/v1",
    ),
    Command(
        ("package", "update"),
        "update the agents of a package",
        "Installs the newest version, or the one that is named, and moves every agent of the "
        "package to it, each as a change of its own: it is rehearsed, watched afterwards, and "
        "undone when the agent does worse than before. Exit code 1 says that one was undone.",
        (
            ("opmas package update hostwatch", "all its agents to the newest version"),
            ("opmas package update hostwatch --dry-run", "which agents would be restarted"),
        ),
        "versions:update_package",
        (
            PACKAGE,
            option("--version", text="to this version (default: the newest)", metavar="VERSION"),
            WINDOW,
            PLAN_ONLY,
            NO_WAIT,
            PATIENCE,
        ),
        "opmas.change-list/v1",
    ),
    Command(
        ("package", "rollback"),
        "put the agents of a package back to an earlier version",
        "Moves every agent of the package to the version before, or to the one that is named. A "
        "package that dpkg owns gets its previous Debian package back, with its configuration "
        "files as they were.",
        (
            ("opmas package rollback hostwatch", "the version before"),
            ("opmas package rollback hostwatch --version 1.3.0 --dry-run", "see it first"),
        ),
        "versions:roll_back_package",
        (
            PACKAGE,
            option("--version", text="to this version", metavar="VERSION"),
            WINDOW,
            PLAN_ONLY,
            NO_WAIT,
            PATIENCE,
        ),
        "opmas.change-list/v1",
    ),
    Command(
        ("package", "remove"),
        "remove a package or one version of it",
        "Removes what no agent runs; a version that an agent needs is refused.",
        (
            ("opmas package remove hostwatch", "all its versions"),
            ("opmas package remove hostwatch --version 1.3.0", "one of them"),
        ),
        "versions:remove_package",
        (
            PACKAGE,
            option("--version", text="only this version", metavar="VERSION"),
            PLAN_ONLY,
            NO_WAIT,
            PATIENCE,
        ),
        "opmas.change/v1",
    ),
    Command(
        ("package", "hold"),
        "keep a package at its version",
        "Nothing moves the package or its agents to another version by itself, and apt leaves it "
        "alone, until `opmas package unhold`.",
        (("opmas package hold hostwatch", "no new version by itself"),),
        "versions:hold_package",
        (PACKAGE,),
        "opmas.package/v1",
    ),
    Command(
        ("package", "unhold"),
        "let a package be updated again",
        "Takes back `opmas package hold`.",
        (("opmas package unhold hostwatch", "new versions as ever"),),
        "versions:unhold_package",
        (PACKAGE,),
        "opmas.package/v1",
    ),
)
