"""The rescue and the guard stand alone: the standard library, and nothing else of OPMAS."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import opmas.rescue

HERE = Path(opmas.rescue.__file__).parent
LOADED = """
import sys
sys.path.insert(0, {folder!r})
for name in {names!r}:
    __import__("opmas.rescue." + name)
loaded = {{name for name in sys.modules if name.split(".")[0] not in sys.stdlib_module_names}}
print(*sorted(loaded))
"""


def test_they_import_nothing_else_and_work_from_a_copy_of_their_directory(tmp_path: Path) -> None:
    shutil.copytree(HERE, tmp_path / "opmas" / "rescue")
    (tmp_path / "opmas" / "__init__.py").touch()
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("__"))
    code = LOADED.format(folder=str(tmp_path), names=names)

    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    ours = {"__main__", "opmas", "opmas.rescue", *(f"opmas.rescue.{name}" for name in names)}
    assert set(done.stdout.split()) <= ours


def test_the_rescue_has_no_word_for_stopping_a_unit() -> None:
    words = {"stop", "kill", "restart", "disable", "mask", "isolate"}

    for name in ("systemd.py", "loop.py"):
        text = (HERE / name).read_text()
        assert [word for word in words if f'"{word}"' in text] == []
