"""An agent that is updated: how long nobody serves, with a good version and with a bad one.

Both from the stop of the old run until the agent runs again, by the event log: systemd forgets the
stamps of a unit that is down. The bad version exits as soon as it starts, and is undone.
"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.bundles.build import build_bundle
from opmas.bundles.minisign import SecretKey
from opmas.bundles.trust import TrustStore
from tests.bench import fleet
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage

NAME: Final = "bench-update"
KEYS: Final = Path("/etc/opmas/trusted-keys.d")
ROUNDS: Final = 20
ENDED: Final = frozenset({"committed", "reverted", "revert-failed", "refused"})
CODE: Final = "from opmas.agent import BaseAgent\nclass Bench(BaseAgent):\n    pass\n"
VERSIONS: Final = {"1.0.0": "", "1.0.1": "", "1.0.2": "import os\nos._exit(3)\n"}
OLD, GOOD, BAD = VERSIONS


def updates(stage: Stage) -> Iterator[Figure]:
    """Measure the outages of updates, beside the smaller fleet."""
    others = len(stage.running(stage.few).names)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        _install_versions(Path(folder))
    fleet.call("agent.put", name=NAME, package=NAME, version=OLD, window=0)
    _wait_running()
    stage.say(f"{ROUNDS} good updates and {ROUNDS} bad ones, beside {others} agents")
    good = tuple(_outage(version) for version in (GOOD, OLD) * (ROUNDS // 2))
    bad = tuple(_outage(BAD) for _ in range(ROUNDS))
    fleet.call("agent.remove", name=NAME, purge=True, wait=30)
    what = "nobody serves"
    yield Figure("update-good", f"good update: {what}", "s", good, (Target("p99", 2),))
    yield Figure("update-bad", f"update that is undone at once: {what}", "s", bad)


def _install_versions(folder: Path) -> None:
    key = SecretKey.generate()
    TrustStore(KEYS).add(key.public, "bench")
    for version, start in VERSIONS.items():
        directory = folder / version
        directory.mkdir()
        (directory / "bench_update.py").write_text(start + CODE)
        manifest = {
            "api": "opmas.agent/v1", "name": NAME, "version": version, "summary": "is updated",
            "runtime": "python", "entry": "bench_update:Bench",
        }  # fmt: skip
        (directory / "agent.yaml").write_text(json.dumps(manifest))
        bundle = build_bundle(directory, folder, secret_key=key)
        change = _ended(fleet.call("package.install", file=str(bundle))["change"])
        if change["state"] != "committed":
            raise fleet.FleetError(f"{bundle.name} was not installed: {change['message']}")


def _outage(version: str) -> float:
    """Return the seconds from the stop of the old run until the agent, of any version, serves."""
    window = 10 if version == BAD else 0
    begin = fleet.call("host.status")["events"]["last"]
    _ended(fleet.call("agent.update", name=NAME, version=version, window=window)["change"])
    _wait_running()
    told = fleet.call("event.list", agent=NAME, after=begin, type="opmas.agent.phase", limit=100)
    phases = [(e["data"]["to"], datetime.fromisoformat(e["time"])) for e in told["events"]]
    stopped = next(at for to, at in phases if to == "stopping")
    ready = next(at for to, at in reversed(phases) if to == "running")
    return float((ready - stopped).total_seconds())


def _ended(change: dict[str, Any]) -> dict[str, Any]:
    while change["state"] not in ENDED:
        change = fleet.call("change.show", id=change["id"], seen=change["serial"], wait=10)
    return change


def _wait_running() -> None:
    fleet.wait_until(
        lambda: fleet.call("agent.show", name=NAME)["phase"] == "running", f"{NAME} runs", 60
    )
