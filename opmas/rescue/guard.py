"""The guard of an upgrade: armed by the packages' scripts, at work as its service.

    opmas-guard arm VERSION    before a package of the version is unpacked; the first counts
    opmas-guard disarm         when the manager's package goes

The service runs from a copy of this package that the version before has made, with the .debs that
it has put aside: nothing of the new version is in its way.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opmas.rescue import dpkg, keep
from opmas.rescue.documents import read_document, sync_directory, write_document, write_text
from opmas.rescue.judge import Standing, stand
from opmas.rescue.loop import say
from opmas.rescue.places import GUARD, MANAGER, find_places
from opmas.rescue.systemd import Systemd, call
from opmas.rescue.verdict import may_guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opmas.rescue.places import Places

PENDING: Final = "pending.json"
UNDONE: Final = "undone.json"
REVERTING: Final = "reverting"
TRIED: Final = "tried.json"  # the upgrade whose way back was begun to be put aside, and not ended
TRIED_FOR: Final = 3600.0  # seconds; later it is another try of the same upgrade
ETC: Final = Path("/etc/systemd/system")
SHIPPED: Final = tuple(
    Path(folder) / GUARD for folder in ("/lib/systemd/system", "/usr/lib/systemd/system")
)
WANTED: Final = ETC / "multi-user.target.wants" / GUARD
PIN: Final = Path("/etc/apt/preferences.d/opmas-undone")


def main(words: Sequence[str]) -> int:
    """Do what is asked; the scripts of packages go on whatever comes of it."""
    places = find_places(os.environ)
    try:
        match list(words):
            case ["arm", version]:
                arm(places, version)
            case ["disarm"]:
                disarm(places)
            case ["watch"]:
                from opmas.rescue.watch import Guard  # noqa: PLC0415 -- arm does without

                Guard(places).run()
            case _:
                sys.stderr.write("usage: opmas-guard arm VERSION | disarm | watch\n")
                return 2
    except OSError as error:
        say(f"opmas-guard: cannot go on: {error}", 3)
        return 1
    return 0


def _save(places: Places, version: str) -> str:
    """Put the installed version aside, when `version` is a newer one; return which it is."""
    present = dpkg.packages()
    manager = present.get(dpkg.MAIN)
    if manager is None or not dpkg.is_newer(version, manager.version):
        return ""
    folder = places.guard / manager.version
    if keep.kept(folder) is not None:
        return manager.version
    if manager.status != "installed":
        return ""
    _clear(places)
    this = {"from": manager.version, "to": version}
    if _was_tried(places, this):
        return ""
    write_document(places.guard / TRIED, this)
    same = [each for each in present.values() if each.version == manager.version]
    wrong = keep.keep_debs(folder, same)
    if wrong:
        say(f"opmas-guard: {wrong}: this upgrade will not be undone if it is bad", 4)
        return ""
    (places.guard / TRIED).unlink()
    return manager.version


def _was_tried(places: Places, this: dict[str, str]) -> bool:
    """Return whether an earlier package of this upgrade tried in vain, or was out of time.

    Each package has its own two minutes, and those before it are of the new version by now: what
    is put aside then would be no way back.
    """
    path = places.guard / TRIED
    if read_document(path) != this or abs(time.time() - path.stat().st_mtime) > TRIED_FOR:
        return False
    say(f"opmas-guard: {this['from']} could not be put aside: the upgrade is not watched", 4)
    return True


def arm(places: Places, version: str) -> None:
    """Have the upgrade to the version watched, when there is a way back from it.

    While another upgrade is watched, nothing of that changes: perhaps only an agent's package is
    of that version. The guard sees by itself when the manager is, see watch.py.
    """
    pending = read_document(places.guard / PENDING)
    if pending is not None:
        if pending.get("phase") != REVERTING and pending.get("to") != version:
            _enable()
        return
    before = _save(places, version)
    if not before:
        return
    refused = _refused(places, version)
    if refused:
        say(f"opmas-guard: the upgrade to {version} is not watched: {refused}")
        disarm(places)
        return
    _prepare(places, before)
    write_document(places.guard / PENDING, {"from": before, "to": version, "phase": "watching"})
    _enable()


def _refused(places: Places, version: str) -> str:
    """Return why the version is not watched; nothing for one that is."""
    if not may_guard(version, read_document(places.guard / UNDONE)):
        return "it was undone twice, so this time it stays"
    return "" if _runs() else "opmas-manager does not run as it is"


def disarm(places: Places) -> None:
    """Forget the upgrade that is watched; what was undone before stays known."""
    (places.guard / PENDING).unlink(missing_ok=True)
    _clear(places)
    disable()
    if places.guard.is_dir() and not any(places.guard.iterdir()):
        places.guard.rmdir()


def disable() -> None:
    """Have the guard not run any more."""
    WANTED.unlink(missing_ok=True)
    (ETC / GUARD).unlink(missing_ok=True)


def _clear(places: Places) -> None:
    """Remove what is kept of versions, unless an upgrade from one of them is watched."""
    if (places.guard / PENDING).exists() or not places.guard.is_dir():
        return
    for path in places.guard.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _runs() -> bool:
    manager = Systemd().show([MANAGER]).get(MANAGER)
    return manager is not None and stand(manager) is Standing.UP


def _prepare(places: Places, before: str) -> None:
    database = places.state / keep.DATABASE
    if database.exists():
        wrong = keep.keep_database(database, places.guard / before / keep.DATABASE)
        if wrong:
            say(f"opmas-guard: no copy of the database: {wrong}", 4)
    keep.keep_program(places.guard / keep.PROGRAM)


def _enable() -> None:
    """Have the guard run now, and after a boot, by a unit file that no package replaces."""
    shipped = next(path for path in SHIPPED if path.exists())
    write_text(ETC / GUARD, shipped.read_text(encoding="utf-8"))
    WANTED.parent.mkdir(exist_ok=True)
    if not WANTED.is_symlink():
        WANTED.symlink_to(ETC / GUARD)
        sync_directory(WANTED.parent)
        sync_directory(ETC)
    code, said = call("/usr/bin/systemctl", "start", "--no-block", GUARD)
    if code:
        say(f"opmas-guard: {said.strip()}", 4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
