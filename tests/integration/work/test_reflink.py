"""Snapshots on a file system that shares blocks: a real XFS, in a file, mounted for itself."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SIZE = 64 << 20
# Mounted where nobody else sees it, and gone with the last process of the namespace.
PREPARE = """
set -e
truncate -s 512M "$1/disk"
mkfs.xfs -q -m reflink=1 "$1/disk"
mkdir "$1/mount"
mount -o loop "$1/disk" "$1/mount"
exec "$2" -c "$3" "$1/mount"
"""
WORK = f"""
import json, os, sys
from pathlib import Path
from opmas.core.job import JobKind
from opmas.work import snapshots
from tests.unit.work.tasks import task_in
top = Path(sys.argv[1])
def used():
    os.sync()
    disk = os.statvfs(top)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize
state = top / "private" / "web"
state.mkdir(parents=True)
(state / "big").write_bytes(os.urandom({SIZE}))
before = used()
snapshots.snapshot(task_in(top, JobKind.SNAPSHOT, agent="web", snapshot="s"))
taken = used() - before
with (state / "big").open("r+b") as file:
    file.write(b"written in place")
changed = (state / "big").read_bytes()[:16]
snapshots.restore(task_in(top, JobKind.RESTORE, agent="web", snapshot="s"))
restored = (state / "big").read_bytes()
copy = (top / "state" / "snapshots" / "s" / "web" / "tree" / "big").read_bytes()
print(json.dumps({{
    "taken": taken, "changed": changed.decode(), "same": restored == copy,
    "size": len(restored), "in place": restored.startswith(b"written"), "after": used() - before,
}}))
"""


def test_a_snapshot_shares_its_blocks_and_not_what_is_written_later(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", PREPARE, "sh", tmp_path, sys.executable, WORK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["changed"] == "written in place"
    assert (found["same"], found["size"], found["in place"]) == (True, SIZE, False)
    assert found["taken"] < SIZE / 8
    assert found["after"] < SIZE / 8
