"""What the SDK costs an agent: imports, memory, time until it is ready."""

from __future__ import annotations

import time

# docs/reference/sdk.md has what was measured on Debian 12; Debian 13's interpreter is larger.
PSS_KB = 14 * 1024
# The figure to hold is 0.25; a machine that is busy with other tests must not fail this one.
READY_SECONDS = 2.5

COSTLY = {
    "argparse", "asyncio", "concurrent.futures", "dataclasses", "datetime", "decimal", "email",
    "hashlib", "http", "importlib.metadata", "inspect", "multiprocessing", "pathlib", "pickle",
    "platform", "psutil", "pystemd", "random", "sqlite3", "ssl", "subprocess", "tempfile",
    "typing", "unittest", "urllib", "uuid", "yaml",
}  # fmt: skip


def test_a_plain_agent_imports_nothing_costly(start, manager):
    start("bare:Teller")

    modules = set(manager.wait_for("event", type="told")["data"]["modules"])

    assert modules & COSTLY == set()
    assert not [name for name in modules if name.startswith("opmas.core")]
    assert "opmas.agent.aio" not in modules
    assert not [name for name in modules if name.startswith("opmas.agent.testing")]


def test_a_connected_plain_agent_is_small(start, manager):
    start("bare:Teller")
    manager.wait_for("metrics")
    before = len(manager.all("event"))

    told = manager.wait_for_next("event", after=before)

    assert told["data"]["pss"] <= PSS_KB


def test_an_agent_is_ready_soon(start, notify):
    started_at = time.monotonic()
    start("bare:Teller")

    notify.wait_for("READY=1")

    assert time.monotonic() - started_at <= READY_SECONDS
