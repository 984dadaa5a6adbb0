"""Whether a version of an agent's package could be started now: the job rehearse.

Asked before a switch to another version, about the one that a failure would lead back to. No
code of the package is run. What is wrong is said with what mends it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.bundles.installed import verify_installed
from opmas.core.agent.terms import NAME
from opmas.core.documents import fields
from opmas.core.package.manifest import Manifest, Runtime, parse_manifest
from opmas.errors import BackendError, InvalidError
from opmas.packages.receipt import SITE, read_receipt
from opmas.packages.versions import satisfies
from opmas.packages.yamlfile import read_yaml
from opmas.work.children import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opmas.work.task import Task

OLDEST_PYTHON: Final = ">=3.11"  # for which the SDK is written
PYTHON_LIMIT: Final = 20.0
VERIFY_LIMIT: Final = 60.0
# What the agent's interpreter must be able to do: import the SDK. It prints its own version.
_TRY_PYTHON: Final = "import sys, opmas.agent; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True, slots=True)
class _Asked:
    agent: str
    directory: Path
    python: str
    runtime: Runtime
    command: tuple[str, ...]
    entry: str
    unit: str


def rehearse(task: Task) -> dict[str, Any]:
    """See that the version in `directory` can be started as `unit`; `InvalidError` if not."""
    with task.parameters() as given:
        agent = given.need("agent", fields.matching(NAME, "must be an agent's name"), "x")
        asked = _Asked(
            agent=agent,
            directory=Path(given.need("directory", fields.absolute_path, "/")),
            python=given.get("python", fields.absolute_path, task.settings.agents.python),
            runtime=given.need("runtime", fields.one_of(Runtime), Runtime.EXEC),
            command=given.get("command", fields.each(fields.argument), ()),
            entry=given.get("entry", fields.text, ""),
            unit=given.get("unit", fields.line, "") or f"opmas-agent@{agent}.service",
        )
    problems: list[str] = []
    for step, check in (("files", _files), ("program", _program), ("unit", _unit)):
        task.report(step)
        problems += check(asked, task)
    if problems:
        raise InvalidError(
            f"cannot rely on {asked.directory}: agent {agent} could not be started from it "
            f"again: {problems[0]}",
            tuple(problems),
        )
    return {}


def _files(asked: _Asked, _task: Task) -> Iterator[str]:
    """Yield which of the version's files are not what was installed."""
    if not asked.directory.is_dir():
        yield f"{asked.directory} is not there: install the version again"
        return
    try:
        if read_receipt(asked.directory) is None:  # dpkg's: debsums can tell
            return
        changed = verify_installed(asked.directory)
    except InvalidError as error:
        yield f"{error.message}: install the version again"
        return
    for each in changed:
        yield f"{each}: install the version again"


def _program(asked: _Asked, task: Task) -> Iterator[str]:
    try:
        manifest = parse_manifest(read_yaml(asked.directory / "agent.yaml"), where="agent.yaml")
    except InvalidError as error:
        yield f"{error.message}: install the version again, or another"
        return
    if asked.runtime is Runtime.EXEC:
        program = asked.directory / asked.command[0] if asked.command else asked.directory
        yield from _executable(program, "install what it belongs to")
    else:
        yield from _python(asked, task, manifest)


def _python(asked: _Asked, task: Task, manifest: Manifest) -> Iterator[str]:
    module = asked.entry.partition(":")[0]
    if not _has_module(asked.directory, module):
        yield f"there is no module {module} in {asked.directory}: install the version again"
    unusable = list(_executable(Path(asked.python), "set agents.python in opmas.yaml"))
    if unusable:
        yield from unusable
        return
    pythonpath = ":".join(task.settings.agents.pythonpath)
    try:
        answer = ask(asked.python, "-sP", "-c", _TRY_PYTHON, limit=PYTHON_LIMIT, cwd=Path("/"),
                     extra={"PYTHONPATH": pythonpath} if pythonpath else {})  # fmt: skip
    except BackendError as error:
        yield f"{error.message}: set agents.python in opmas.yaml"
        return
    if answer.code:
        said = answer.stderr.strip().rpartition("\n")[2][:200]
        yield f"{asked.python} cannot import opmas.agent: {said}: install python3-opmas-agent"
        return
    version = answer.stdout.strip()
    for wanted in (OLDEST_PYTHON, manifest.requires_python):
        if wanted and not satisfies(version, wanted):
            yield f"{asked.python} is {version}, and {wanted} is needed: install another version"


def _has_module(directory: Path, module: str) -> bool:
    parts = module.split(".")
    for root in (directory, directory / SITE):
        at = root.joinpath(*parts)
        if (at / "__init__.py").is_file() or any(at.parent.glob(f"{at.name}.*")):
            return True
    return False


def _executable(program: Path, mend: str) -> Iterator[str]:
    with suppress(OSError):
        found = program.stat()
        if stat.S_ISREG(found.st_mode) and os.access(program, os.X_OK):
            return
        yield f"{program} is no program that can be run: {mend}"
        return
    yield f"{program} is not there: {mend}"


def _unit(asked: _Asked, _task: Task) -> Iterator[str]:
    """Yield for what reason systemd would refuse the unit.

    A good unit has no line at all (252, 257). The tool also ends with an error for settings that
    systemd ignores when it starts the unit: these are no reason, and are said to be ignored.
    """
    answer = ask(
        "/usr/bin/systemd-analyze", "verify", "--man=no", "--recursive-errors=no", asked.unit,
        limit=VERIFY_LIMIT,
    )  # fmt: skip
    if not answer.code:
        return
    lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
    name = asked.unit.partition("@")[0]
    faults = [line for line in lines if name in line and "ignoring" not in line]
    if not faults and not any("ignoring" in line for line in lines):
        faults = lines or [f"systemd-analyze ended with {answer.code}"]
    for line in faults:
        yield f"systemd: {line}: see systemctl cat {asked.unit}"
