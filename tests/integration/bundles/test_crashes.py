"""An installation that is killed at any instant leaves the old state or the new one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from opmas.bundles.installation import install, verify_installed
from tests.unit.bundles.material import make_bundle, make_place, make_wheel

TOP: Final = Path(__file__).resolve().parents[3]
# The calls that are the last before something is on the disk or seen by others.
PROGRAM: Final = """
import os, signal, sys
from pathlib import Path
from opmas.bundles import installation, staging

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

where, bundle, root, keys = sys.argv[1:]
step = die if where == "none" else lambda name, *_: die() if name == where else None
if "." in where:
    owner, name = where.split(".")
    owner = {"staging": staging, "Path": Path, "os": os}[owner]
    real, left = getattr(owner, name), [int(os.environ.get("AFTER", "0"))]
    def deadly(*args, **more):
        if left[0] == 0:
            die()
        left[0] -= 1
        return real(*args, **more)
    setattr(owner, name, deadly)
installation.install(Path(bundle), place=installation.Place(Path(root), Path(keys)), progress=step)
"""


def killed(where: str, bundle: Path, root: Path, keys: Path) -> bool:
    """Install in a process that is killed there; whether it came that far."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, where, str(bundle), str(root), str(keys)],
        env={"PYTHONPATH": str(TOP)}, check=False,
    )  # fmt: skip
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "where",
    [
        "verify", "check", "unpack", "compile", "sync", "staging._sync_all", "staging.make_folder",
        "Path.rename", "staging._exchange", "staging.sync_folder",
    ],
)  # fmt: skip
@pytest.mark.parametrize("damaged", [False, True], ids=["new", "over a damaged one"])
def test_the_next_try_ends_well(tmp_path: Path, where: str, damaged: bool) -> None:
    make_wheel(tmp_path / "wheels")
    bundle = make_bundle(tmp_path, requirements=["lib"])
    place = make_place(tmp_path)
    final = place.root / "web" / "1.0.0"
    if damaged:
        install(bundle, place=place)
        (final / "web.py").write_text("damaged")

    reached = killed(where, bundle, place.root, place.trusted_keys)

    assert reached or where == ("Path.rename" if damaged else "staging._exchange")
    whole = verify_installed(final) == ()
    assert whole or final.exists() is damaged
    installed = install(bundle, place=place)
    assert installed.fresh is not whole
    assert verify_installed(final) == ()
    assert list((place.root / ".staging").iterdir()) == []
