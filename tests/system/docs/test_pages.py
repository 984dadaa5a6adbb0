"""What the pages say that a reader does and sees, done and seen on a lab host of its own."""

from pathlib import Path

import pytest

from tests.lab import Host, wait_for
from tests.system.docs.page import Command, File, missing, steps
from tests.system.install import create_agent

TOP = Path(__file__).parents[3]
PAGES = (
    "README.md",
    "docs/tutorial/first-agent.md",
    "docs/how-to/operate-with-systemctl.md",
    "docs/how-to/configure-an-agent.md",
    "docs/how-to/limits.md",
    "docs/how-to/grant-and-sandbox.md",
    "docs/how-to/exec-agent.md",
    "docs/how-to/rest-api.md",
    "docs/how-to/recover.md",
    "docs/how-to/diagnose.md",
    "docs/how-to/update-and-roll-back.md",
    "docs/how-to/offline-hosts.md",
    "docs/how-to/key-rotation.md",
    "docs/how-to/private-apt-repository.md",
    "docs/how-to/install-and-remove.md",
    "docs/reference/protocol.md",
)
SHOWN_WITHIN = 40.0  # what a page shows a moment after a command may take longer here
# Variables of one command are there in the next, as in the reader's shell.
SHELL = """
set -a
. /root/page.env 2>/dev/null
eval "$1"
code=$?
export -p >/root/page.env
exit $code
"""


@pytest.fixture
def reader_host(installed_host: Host) -> Host:
    """A host as `packaging/quickstart` leaves it."""
    create_agent(installed_host)
    return installed_host


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_show_what_the_page_shows(page: str, reader_host: Host):
    found = steps((TOP / page).read_text(encoding="utf-8"))

    faults = [fault for step in found if (fault := _do(reader_host, step))]

    assert not faults, "\n\n".join(faults)
    assert found


def _do(host: Host, step: File | Command) -> str:
    """Do the step, and return what was not as the page says."""
    if isinstance(step, File):
        host.run("mkdir", "-p", str(Path(step.path).parent))
        host.run("tee", step.path, input=step.text)
        return ""
    outputs: list[str] = []

    def is_shown() -> bool:
        done = host.run("bash", "-c", SHELL, "bash", step.line, check=False, timeout=300)
        outputs.append(done.stdout + done.stderr)
        if step.shows:
            return missing(step.shows, outputs[-1], host.name) is None
        return done.returncode == 0

    try:
        wait_for(is_shown, SHOWN_WITHIN if step.shows else 0, step.line)
    except AssertionError:
        line = missing(step.shows, outputs[-1], host.name)
        return f"$ {step.line}\n--- first\n{outputs[0]}--- last\n{outputs[-1]}--- without\n{line}"
    return ""
