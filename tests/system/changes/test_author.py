"""From nothing to an agent that is updated, and saved from a bad version: one script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.lab import wait_for
from tests.system.changes.site import Site

if TYPE_CHECKING:
    from tests.lab import Host

SCRIPT: Final = Path(__file__).with_name("author.sh")
MINUTES: Final = 600.0
SOON: Final = 30.0
STORY: Final = [
    ("install", "refused"),
    ("install", "committed"),
    ("create", "committed"),
    ("install", "committed"),
    ("update", "committed"),
    ("install", "committed"),
    ("update", "reverted"),
]


def well(site: Site) -> dict[str, Any] | None:
    """Return the agent when it is well; a program's health is unknown until its first probe."""
    view = site.agents()["tide"]
    return view if (view["phase"], view["health"]) == ("running", "healthy") else None


@pytest.mark.parametrize("runtime", ["python", "exec"])
def test_an_agent_is_written_tested_signed_installed_updated_and_saved(
    installed_host: Host, runtime: str
) -> None:
    site = Site(installed_host)
    installed_host.copy_in(SCRIPT, "/root/author.sh")

    done = installed_host.run("/root/author.sh", runtime, timeout=MINUTES)

    told = done.stdout + done.stderr
    view = wait_for(lambda: well(site), SOON, "tide is well again")
    assert (view["version"], view["trust"]) == ("0.2.0", "key")
    about = [c for c in reversed(site.changes()) if c["package"] == "tide"]
    assert [(c["kind"], c["state"]) for c in about] == STORY, told
    assert site.versions()["tide"] == ["0.1.0", "0.2.0", "0.3.0"]
    assert "5 passed" in told
    site.is_tidy()
