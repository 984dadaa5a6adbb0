"""Copies of a directory while its owner turns parts of it into links that lead out."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from opmas.work.tree import Copier, opened, remove_tree

ROUNDS = 300
SECRET = "what no agent may read"
# Directories, files and links change places as fast as they can, until standard input ends.
SWAPS = """
import os, select, sys
os.chdir(sys.argv[1])
print("swapping", flush=True)
while not select.select([0], [], [], 0)[0]:
    for one, other in (("directory", "link"), ("file", "file-link")):
        os.rename(one, "x"); os.rename(other, one); os.rename("x", other)
"""


def test_no_race_leads_out_of_the_directory(tmp_path: Path) -> None:
    source, outside, copy = (tmp_path / name for name in ("source", "outside", "copy"))
    (source / "directory").mkdir(parents=True)
    (source / "directory" / "secret").write_text("own")
    (source / "file").write_text("own")
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    (source / "link").symlink_to(outside)
    (source / "file-link").symlink_to(outside / "secret")

    with subprocess.Popen(
        [sys.executable, "-c", SWAPS, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as swapping:
        assert swapping.stdout is not None
        assert swapping.stdin is not None
        swapping.stdout.readline()
        found = [text for _ in range(ROUNDS) for text in copied(source, copy)]
        swapping.stdin.close()

    assert set(found) == {"own"}
    assert (outside / "secret").read_text() == SECRET


def copied(source: Path, copy: Path) -> list[str]:
    """What the regular files of a copy hold; a change just then may end it early."""
    copy.mkdir()
    with opened(str(source)) as one, opened(str(copy)) as other, suppress(OSError):
        Copier(other).copy(one)
    texts = [p.read_text() for p in copy.rglob("*") if p.is_file() and not p.is_symlink()]
    with opened(str(copy.parent)) as parent:
        remove_tree(copy.name, parent)
    return texts
