"""A short run of the fuzzer; longer ones are started by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 20


def test_the_reader_of_bundles_stands_a_short_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.bundle", "--seconds", str(SECONDS)],
        cwd=TOP, capture_output=True, text=True, timeout=SECONDS * 4, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-4000:]
    assert "stat::number_of_executed_units" in done.stderr
