"""Checks configurations against the schemas of their packages, in a short process of its own.

That process (opmas.packages.validate) has jsonschema in it and the limits on it, so that the
manager stays small and no schema can hold it up. Answers are remembered: the same question is
asked again at each scan. Blocking: call it from a thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.errors import BackendError

if TYPE_CHECKING:
    from opmas.core.package.manifest import Manifest

REMEMBERED: Final = 1024
_ROOT: Final = Path(__file__).resolve().parents[2]


class ConfigChecker:
    """Answers with problems as `path: reason`; `timeout` in seconds for each check."""

    def __init__(self, timeout: float = 15.0) -> None:
        self._timeout = timeout
        self._answers: dict[str, tuple[str, ...]] = {}

    def manifest_problems(self, manifest: Manifest) -> tuple[str, ...]:
        """Return what is wrong with the package's schema and its defaults."""
        return self._asked(manifest.schema, manifest.defaults, "config.defaults")

    def config_problems(self, manifest: Manifest, config: dict[str, Any]) -> tuple[str, ...]:
        """Return what the package's schema refuses in the whole (merged) configuration."""
        return self._asked(manifest.schema, config, "config")

    def _asked(self, schema: dict[str, Any], config: Any, path: str) -> tuple[str, ...]:
        if not schema:  # accepts everything
            return ()
        request = json.dumps({"schema": schema, "config": config, "path": path}, sort_keys=True)
        key = hashlib.sha256(request.encode()).hexdigest()
        if key not in self._answers:
            answer = self._run(request, path)
            if len(self._answers) >= REMEMBERED:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = answer
        return self._answers[key]

    def _run(self, request: str, path: str) -> tuple[str, ...]:
        slow = f"{path}: cannot be checked: its schema takes too long or too much memory"
        try:
            done = subprocess.run(
                [sys.executable, "-sP", "-m", "opmas.packages.validate"],
                input=request,
                capture_output=True,
                text=True,
                timeout=self._timeout,
                check=False,
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(_ROOT)},
            )
        except subprocess.TimeoutExpired:
            return (slow,)
        except OSError as error:
            raise BackendError(f"cannot check {path}: {error.strerror}") from error
        if done.returncode < 0 or "MemoryError" in done.stderr[-200:]:
            return (slow,)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BackendError(f"cannot check {path}: {last[:200]}")
        return tuple(json.loads(done.stdout)["problems"])
