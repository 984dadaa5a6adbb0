"""The directory of a package as its author has it: what goes into a bundle, and what is wrong."""

from __future__ import annotations

import os
import stat
import warnings
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from opmas.bundles.manifest import AGENT_YAML
from opmas.bundles.zips import check_path
from opmas.core.package.manifest import Manifest, Runtime, parse_manifest
from opmas.core.package.program import is_function
from opmas.errors import BundleError, InvalidError
from opmas.packages.checker import ConfigChecker
from opmas.packages.receipt import FOLDER
from opmas.packages.yamlfile import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What stays with the author. At the top: tests, and what a build reads and writes.
LEFT_OUT_TOP: Final = ("tests", "wheels", "dist", "build", "?*.opmas", "?*.deb")
# Anywhere: what tools leave, and what version control keeps.
LEFT_OUT: Final = (
    ".git", ".gitignore", ".gitattributes", ".hg", ".svn", ".venv", ".tox", ".nox", ".hypothesis",
    ".coverage", ".*_cache", "__pycache__", "*.pyc", "*.pyo", "*.egg-info", "*~", ".*.sw?",
    ".DS_Store",
)  # fmt: skip

_SECRET_KEY: Final = b"secret key"
_COMMENT: Final = b"untrusted comment:"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that goes into the package; `path` is below the directory."""

    path: str
    place: Path
    executable: bool


def read_manifest(directory: Path) -> Manifest:
    """Return the package's manifest, or raise `InvalidError` with all that is wrong with it."""
    path = directory / AGENT_YAML
    return parse_manifest(read_yaml(path), where=str(path))


def source_files(directory: Path) -> list[SourceFile]:
    """Return the files of the package's code by path, or raise `InvalidError` for what is none."""
    files, problems = _scan(directory)
    if problems:
        raise InvalidError(f"cannot read {directory}: {problems[0]}", tuple(problems))
    return files


def source_problems(directory: Path) -> tuple[str, ...]:
    """Return all that is wrong with the package, as `path: reason`."""
    try:
        manifest = read_manifest(directory)
    except InvalidError as error:
        return tuple(f"{AGENT_YAML}: {each}" for each in error.problems or (error.message,))
    files, problems = _scan(directory)
    by_path = {file.path: file for file in files}
    problems += [f"{AGENT_YAML}: {each}" for each in _manifest_problems(manifest, by_path)]
    for file in files:
        problems += _content_problems(file)
    return tuple(problems)


def _scan(directory: Path) -> tuple[list[SourceFile], list[str]]:
    files: list[SourceFile] = []
    problems: list[str] = []
    for path, found in _walk(directory, ""):
        mode = found.lstat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "no file"
            problems.append(f"{_shown(path)}: is {kind}, and a bundle holds files only")
            continue
        try:
            check_path(path, "the package")
        except BundleError:
            problems.append(f"{_shown(path)}: is no plain path of printable characters")
            continue
        files.append(SourceFile(path, found, bool(mode & stat.S_IXUSR)))
    return sorted(files, key=lambda file: file.path), problems


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for found in sorted(directory.iterdir()):
        path = f"{prefix}{found.name}"
        if _is_left_out(found.name, top=not prefix) or path == AGENT_YAML:
            continue
        if found.is_dir() and not found.is_symlink():
            yield from _walk(found, f"{path}/")
        else:
            yield path, found


def _is_left_out(name: str, *, top: bool) -> bool:
    patterns = LEFT_OUT + LEFT_OUT_TOP if top else LEFT_OUT
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _manifest_problems(manifest: Manifest, files: dict[str, SourceFile]) -> Iterator[str]:
    if any(path.split("/", 1)[0] == FOLDER for path in files):
        yield f"{FOLDER}: is a name that OPMAS needs for itself: rename it"
    if manifest.runtime is Runtime.PYTHON:
        yield from _module_problems(manifest.entry, "entry", files)
    else:
        yield from _program_problems(manifest.command, "command", files)
    hooks = manifest.hooks
    commands = {"check": hooks.check, "migrate": hooks.migrate, "pre_stop": hooks.pre_stop}
    for name, command in commands.items():
        if is_function(command):
            yield from _module_problems(command[0], f"hooks.{name}[0]", files)
        else:
            yield from _program_problems(command, f"hooks.{name}", files)
    yield from ConfigChecker().manifest_problems(manifest)


def _module_problems(entry: str, key: str, files: dict[str, SourceFile]) -> Iterator[str]:
    module = entry.partition(":")[0]
    stem = module.replace(".", "/")
    there = {f"{stem}.py", f"{stem}/__init__.py"} & set(files)
    if not there and not any(path.startswith(f"{stem}.") for path in files):  # as in x.abi3.so
        yield f"{key}: no module {module} in the package"


def _program_problems(
    command: tuple[str, ...], key: str, files: dict[str, SourceFile]
) -> Iterator[str]:
    program = command[0] if command else ""
    if not program.startswith("./"):
        return
    file = files.get(program.removeprefix("./"))
    if file is None:
        yield f"{key}[0]: no file {program} in the package"
    elif not file.executable:
        yield f"{key}[0]: {program} is not executable: chmod +x"


def _content_problems(file: SourceFile) -> Iterator[str]:
    try:
        with file.place.open("rb") as opened:
            begin = opened.read(200)
            if begin.startswith(_COMMENT) and _SECRET_KEY in begin.split(b"\n", 1)[0]:
                yield f"{file.path}: is a secret key: keep it out of the package"
            if not file.path.endswith(".py"):
                return
            content = begin + opened.read()
    except OSError as error:
        yield f"{file.path}: cannot be read: {(error.strerror or '').lower()}"
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(content, file.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        yield f"{file.path}: line {error.lineno or 0}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        yield f"{file.path}: is no Python: {error}"


def _shown(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")
