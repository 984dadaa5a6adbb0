"""`opmas agent new`: a package that passes its own test as it is made."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opmas.cli.authoring.template import NewFile, package_files
from opmas.cli.exits import Exit
from opmas.cli.text import visible
from opmas.core.agent.terms import check_name
from opmas.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opmas.cli.session import Session, View


def new_agent(session: Session) -> Exit:
    """Make a package's directory and say what comes next."""
    name = check_name(session.args.name, "name of a package")
    runtime = session.args.runtime or "python"
    directory = Path(session.args.directory or ".") / name
    files = package_files(name, runtime)
    make_directory(directory, files)
    document = {
        "name": name,
        "runtime": runtime,
        "directory": str(directory),
        "files": [file.path for file in files],
        "next": [
            f"cd {directory}",
            "python3 -m pytest",
            "opmas bundle check .",
            "opmas bundle build .",
        ],
    }
    session.show("opmas.package-created/v1", document, render_created)
    return Exit.OK


def make_directory(directory: Path, files: Iterable[NewFile]) -> None:
    """Make the directory with these files, whole or not at all, or raise `RequestError`."""
    what = f"cannot make {directory}"
    if os.path.lexists(directory):
        raise RequestError(f"{what}: it is there already")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise RequestError(f"{what}: {_reason(error)}") from error
    try:
        _write(beside, files)
        beside.rename(directory)
    except OSError as error:
        raise RequestError(f"{what}: {_reason(error)}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def render_created(document: dict[str, Any], view: View) -> str:
    """Return what was made, and the next steps."""
    return "\n".join(
        [
            f"{visible(document['name'])}: made in {visible(document['directory'])}",
            *(f"  {visible(path)}" for path in document["files"]),
            view.palette.paint("next:", "head"),
            *(f"  {visible(line)}" for line in document["next"]),
        ]
    )


def _write(directory: Path, files: Iterable[NewFile]) -> None:
    mask = os.umask(0)
    os.umask(mask)
    directory.chmod(0o777 & ~mask)  # mkdtemp made it ours alone
    for file in files:
        path = directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
        if file.executable:
            path.chmod(0o777 & ~mask)


def _reason(error: OSError) -> str:
    if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
        return "it is there already"
    return (error.strerror or str(error)).lower()
