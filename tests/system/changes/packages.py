"""Packages that keep a ledger of what was done to their data: what is done twice shows there.

A migration adds one line to the ledger and is not to be repeated; the agent writes down which
version of it runs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from opmas.bundles.build import build_bundle
from opmas.bundles.trust import TrustStore
from tests.unit.bundles.material import KEY

if TYPE_CHECKING:
    from pathlib import Path

TRUSTED_KEYS: Final = "/etc/opmas/trusted-keys.d"
TIMEOUTS: Final = {"start": 20, "stop": 5}
MIGRATES: Final[dict[str, Any]] = {"hooks": {"migrate": "ledger:migrate"}}
# How a version may be bad: its migration fails half way, or the agent ends at once.
HALF: Final = "half"
ENDS: Final = "ends"
CODE: Final = """
import os
import pathlib
import sys

from opmas.agent import BaseAgent

FAULT = "{fault}"
DATA = pathlib.Path(os.environ.get("STATE_DIRECTORY", "."))


class Ledger(BaseAgent):
    def setup(self):
        if FAULT == "ends":
            sys.exit(1)
        (DATA / "runs").write_text("{version}")

    def run(self):
        return 1.0


def migrate(config, from_version, to_version):
    with (DATA / "ledger").open("a") as ledger:
        ledger.write(f"{{from_version}}>{{to_version}}\\n")
    if FAULT == "half":
        (DATA / "runs").unlink()
        sys.exit(1)
"""


def make_version(
    folder: Path, name: str, version: str = "1.0.0", fault: str = "", **keys: Any
) -> Path:
    """Build a version of the package; `keys` go into its agent.yaml."""
    directory = folder / f"{name}-{version}"
    (directory / "ledger").mkdir(parents=True)
    code = CODE.format(version=version, fault=fault)
    (directory / "ledger" / "__init__.py").write_text(code)
    document = {
        "api": "opmas.agent/v1",
        "name": name,
        "version": version,
        "summary": "keeps a ledger",
        "runtime": "python",
        "entry": "ledger:Ledger",
        "timeouts": TIMEOUTS,
        **keys,
    }
    (directory / "agent.yaml").write_text(json.dumps(document))
    return build_bundle(directory, folder / "bundles", secret_key=KEY)


def trust(folder: Path) -> Path:
    """Return a directory of trusted keys that has the one of the bundles."""
    TrustStore(folder).add(KEY.public, "tests")
    return folder
