"""An author's pytest, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run_tests(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a package, with the plugin where it is not installed."""
    options = ["-W", "error", "-p", "no:cacheprovider", "-p", "opmas.agent.testing.plugin"]
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
