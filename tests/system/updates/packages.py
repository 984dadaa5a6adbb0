"""Versions of packages made from one agent, good and bad ones, as bundles that a host trusts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from opmas.bundles.build import build_bundle
from opmas.bundles.manifest import MANIFEST
from opmas.bundles.trust import TrustStore
from tests.unit.bundles.material import KEY, listing, members_of, pack, signed

SOURCE: Final = Path(__file__).with_name("served")
KEYS: Final = "/etc/opmas/trusted-keys.d"
GOOD: Final = "1.0.0"
NEXT: Final = "1.0.1"
# What an agent of the corpus needs of a host: dozens of them run at once.
LIMITS: Final = {"memory_max": "64M", "tasks_max": 16}
TIMEOUTS: Final = {"start": 15, "stop": 3, "watchdog": 4}
TEXT: Final = {"type": "string"}
SCHEMA: Final = {
    "type": "object",
    "properties": dict.fromkeys(("color", "needs", "server", "host", "trouble", "code"), TEXT),
    "additionalProperties": False,
}


def make_version(
    folder: Path, name: str, version: str = GOOD, fault: str = "", **keys: Any
) -> Path:
    """Build a version of the package; `keys` go into its agent.yaml."""
    directory = folder / f"{name}-{version}"
    shutil.copytree(SOURCE, directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "served" / "fault").write_text(fault)
    document = {
        "api": "opmas.agent/v1",
        "name": name,
        "version": version,
        "summary": f"serves {fault or 'well'}",
        "runtime": "python",
        "entry": "served:Served",
        "limits": LIMITS,
        "timeouts": TIMEOUTS,
        "config": {"schema": SCHEMA},
        "events": {"publishes": ["bad", "failed"]},
        **keys,
    }
    python = document.pop("requires_python", None)
    (directory / "agent.yaml").write_text(json.dumps(document))
    bundle = build_bundle(directory, folder / "bundles", secret_key=KEY)
    return bundle if python is None else _for_python(bundle, python)


def _for_python(bundle: Path, specifier: str) -> Path:
    """Make the bundle say that it is for these versions of Python: none is built for others."""
    found = members_of(bundle.read_bytes())
    manifest = listing(found, requires_python=specifier)
    bundle.write_bytes(pack(signed({**found, MANIFEST: manifest})))
    return bundle


def trust(folder: Path) -> Path:
    """Return a directory of trusted keys that has the one of the bundles."""
    TrustStore(folder).add(KEY.public, "tests")
    return folder
