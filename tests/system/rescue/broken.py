"""Packages of a next version of the manager that does not do well, each in its own way."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from tests.system.install import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAUNCHER: Final = "usr/lib/opmas/opmas-manager"
UNIT: Final = "lib/systemd/system/opmas-manager.service"
AT_START: Final = "        up = 0.0\n"  # of manager/comeback.py, once the manager serves


def make(good: Path, bad: Path, kind: str) -> Path:
    """Copy the packages, the manager's with the fault; return their directory."""
    for name in NAMES:
        (deb,) = good.glob(f"{name}_*.deb")
        shutil.copy(deb, bad)
    (deb,) = bad.glob("opmas-manager_*.deb")
    tree = bad / "tree"
    _run("dpkg-deb", "--raw-extract", deb, tree)
    (modules,) = (tree / "usr/lib/opmas").glob("[0-9]*/opmas")
    KINDS[kind](tree, modules)
    _run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb)
    shutil.rmtree(tree)
    return bad


def _syntax(_tree: Path, modules: Path) -> None:
    (modules / "manager" / "__main__.py").write_text("def (\n")


def _exits(tree: Path, _modules: Path) -> None:
    _put_first(tree, "import sys; sys.exit(3)")


def _never_ready(tree: Path, _modules: Path) -> None:
    _put_first(tree, "import signal; signal.pause()")
    unit = tree / UNIT
    unit.write_text(re.sub(r"(?m)^TimeoutStartSec=.*$", "TimeoutStartSec=3", unit.read_text()))


def _migrates(_tree: Path, modules: Path) -> None:
    (modules / "store/schema/9999_fruit.sql").write_text("CREATE TABLE fruit (name TEXT);\n")
    module = modules / "manager/comeback.py"
    text = module.read_text()
    assert AT_START in text
    module.write_text(text.replace(AT_START, f"{AT_START}        raise SystemExit(4)\n"))


def _put_first(tree: Path, line: str) -> None:
    launcher = tree / LAUNCHER
    first, rest = launcher.read_text().split("\n", 1)
    launcher.write_text(f"{first}\n{line}\n{rest}")


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True)


KINDS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "syntax": _syntax,
    "exits": _exits,
    "never-ready": _never_ready,
    "migrates": _migrates,
}
