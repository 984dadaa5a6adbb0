"""Checks configurations against JSON Schemas, in a process of its own.

The library costs 14 MB of memory and the schema is its author's: a child does the work, within
limits, and is gone. Answers are remembered by what was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import Any, Final

from opmas.errors import BackendError

TIMEOUT: Final = 20.0  # seconds; a schema that takes longer is not one to trust
REMEMBERED: Final = 256

_answers: dict[str, tuple[str, ...]] = {}


async def validate(schema: dict[str, Any], config: dict[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with the schema or with the config under it, each as `path: reason`."""
    if not schema:
        return ()
    question = json.dumps({"schema": schema, "config": config}, sort_keys=True).encode()
    key = hashlib.sha256(question).hexdigest()
    if key not in _answers:
        answer = await _ask(question)
        if len(_answers) >= REMEMBERED:
            _answers.clear()
        _answers[key] = answer
    return _answers[key]


async def _ask(question: bytes) -> tuple[str, ...]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-sP",
        "-m",
        "opmas.packages.validate",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(child.communicate(question), TIMEOUT)
    except TimeoutError as error:
        child.kill()
        await child.wait()
        raise BackendError("cannot check the configuration: its schema takes too long") from error
    if child.returncode != 0:
        raise BackendError(f"cannot check the configuration: status {child.returncode}")
    return tuple(json.loads(output)["problems"])
