"""The way back of an upgrade, put aside before anything of the new version is on the disk.

GUARD/VERSION/           the .debs of the version, and the database as it was
GUARD/VERSION/kept.json  what they are; written last
GUARD/program/           a copy of this package, which the guard runs from
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.rescue import dpkg
from opmas.rescue.documents import read_document, sync_tree, write_document
from opmas.rescue.repack import repack

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT: Final = "kept.json"
PROGRAM: Final = "program"
CACHES: Final = (Path("/var/cache/opmas/debs"), Path("/var/cache/apt/archives"))
DATABASE: Final = "manager.db"
DATABASE_LIMIT: Final = 512 << 20  # bytes; the store keeps backups of its own, of any size
SPARE: Final = 64 << 20  # bytes that must stay free
COPY: Final = 0x4F504D43  # as opmas/store/copying.py marks a database whose log went on elsewhere
PAGES: Final = 1000  # of the database at a time, so that the manager can write in between

HERE: Final = Path(__file__).parent
MAIN_FILE: Final = '''"""The guard, from its copy."""

import sys

from opmas.rescue.guard import main

sys.exit(main(["watch"]))
'''


def kept(folder: Path) -> dict[str, Any] | None:
    """Return what is kept in the version's directory; None when it is not complete."""
    document = read_document(folder / KEPT)
    if document is None or not isinstance(document.get("debs"), dict):
        return None
    return (
        document if all((folder / name).exists() for name in document["debs"].values()) else None
    )


def keep_debs(folder: Path, packages: Iterable[dpkg.Package]) -> str:
    """Have a .deb of each package in the directory; return what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    found = {}
    for package in packages:
        target = folder / f"{package.name}.deb"
        wrong = _keep(package, target)
        if wrong:
            shutil.rmtree(folder, ignore_errors=True)
            return f"cannot keep {package.name} {package.version}: {wrong}"
        found[package.name] = target.name
    document = {"debs": found, "schema": schema_of(HERE.parent)}
    try:
        sync_tree(folder)  # what it tells of is on the disk before it is
        write_document(folder / KEPT, document)
    except OSError as error:
        return f"cannot write {folder / KEPT}: {error.strerror}"
    return ""


def _keep(package: dpkg.Package, target: Path) -> str:
    for cache in CACHES:
        for path in cache.glob(f"{package.name}_*.deb"):
            if dpkg.is_deb_of(path, package):
                shutil.copyfile(path, target)
                return ""
    tree = target.with_suffix(".tree")
    try:
        wrong = repack(package.name, tree, target)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if not wrong and not dpkg.is_deb_of(target, package):
        wrong = "what was made of its files is another package"
    return wrong


def keep_program(folder: Path) -> None:
    """Have a copy of this package in the directory, to be run as it is. Raises OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / "opmas" / HERE.name
    shutil.copytree(HERE, target, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "opmas" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "__main__.py").write_text(MAIN_FILE, encoding="utf-8")
    sync_tree(folder)


def keep_database(source: Path, target: Path) -> str:
    """Copy the database while the manager uses it; return what went wrong."""
    try:
        size = source.stat().st_size
        room = shutil.disk_usage(target.parent).free
        if size > DATABASE_LIMIT or room < size + SPARE:
            return f"{size} bytes with {room} bytes free"
        target.unlink(missing_ok=True)
        with sqlite3.connect(source, timeout=5.0) as old, sqlite3.connect(target) as new:
            old.backup(new, pages=PAGES, sleep=0.01)
            new.execute(f"PRAGMA application_id = {COPY}")
        old.close()
        new.close()
        sync_tree(target.parent)
    except (OSError, sqlite3.Error) as error:
        return str(error)
    return ""


def schema_of(package: Path) -> int:
    """Return how many migrations the program in this directory knows; 0 for none."""
    return len(list((package / "store" / "schema").glob("*.sql")))
