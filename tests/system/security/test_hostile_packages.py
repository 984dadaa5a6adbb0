"""A package, its agent, and users of the host who try to harm by bundles, hooks and data."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from opmas.bundles.build import build_bundle
from opmas.bundles.trust import TrustStore
from tests.lab import wait_for
from tests.system.apt_repository import Sample, build_deb
from tests.system.manager.opmas import Opmas
from tests.unit.bundles.material import KEY

if TYPE_CHECKING:
    from tests.lab import Host

SOURCE = Path(__file__).with_name("intruder")
HOME = "/var/lib/private/opmas-agents/intruder"
SECRET = "what root alone may read"
FINAL = {"committed", "reverted", "revert-failed", "refused"}
HOOKS = ("check", "migrate", "pre_stop")
# All that is kept, with links as links and names that are no text.
LOOK = (
    f"cd {HOME} && find . ! -name '*.json' ! -type p ! -type s -printf '%p %y %m %s %l\\n'"
    " | LC_ALL=C sort | cat -v"
)
WATCHED = ("/etc/passwd", "/etc/shadow", "/etc/group", "/root/secret-1.0.0.opmas")


def make_version(folder: Path, version: str) -> Path:
    """Build a version of the package."""
    directory = folder / version / "intruder"
    shutil.copytree(SOURCE, directory)
    commands = {what: ["./bin/attack", what, version] for what in ("run", *HOOKS)}
    document = {
        "api": "opmas.agent/v1",
        "name": "intruder",
        "version": version,
        "summary": "tries to harm",
        "runtime": "exec",
        "command": commands["run"],
        "hooks": {what: commands[what] for what in HOOKS},
    }
    (directory / "agent.yaml").write_text(json.dumps(document))
    return build_bundle(directory, folder / "bundles", secret_key=KEY)


@pytest.fixture(scope="module")
def opmas(shared_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Opmas:
    """OPMAS with three versions of the package; users: a stranger, a member of group opmas."""
    folder = tmp_path_factory.mktemp("intruder")
    TrustStore(folder / "keys").add(KEY.public, "tests")
    shared_host.copy_in(folder / "keys", "/etc/opmas/trusted-keys.d")
    opmas = Opmas(shared_host)
    opmas.up()
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        bundle = make_version(folder, version)
        shared_host.copy_in(bundle, f"/root/{bundle.name}")
        change = opmas.call("package.install", file=f"/root/{bundle.name}", wait=60)["change"]
        assert change["state"] == "committed", change
    shared_host.run("tee", WATCHED[-1], input=SECRET)
    shared_host.run("systemctl", "start", "opmas-api")  # its directories are made
    shared_host.run("useradd", "stranger")
    shared_host.run("useradd", "--groups", "opmas", "member")
    return opmas


@pytest.fixture(scope="module")
def intruder(opmas: Opmas) -> Opmas:
    """The agent, which has done all it could."""
    opmas.call("agent.put", name="intruder", package="intruder", version="1.0.0", window=0)
    ready(opmas, "1.0.0")
    return opmas


def ready(opmas: Opmas, version: str) -> None:
    def look() -> bool:
        done = opmas.host.run("cat", f"{HOME}/ready", check=False)
        return done.stdout == version and opmas.show("intruder")["phase"] == "running"

    wait_for(look, 30, f"the agent runs {version}")


def update(opmas: Opmas, version: str) -> dict[str, Any]:
    change: dict[str, Any]
    change = opmas.call("agent.update", name="intruder", version=version, window=0)["change"]
    deadline = time.monotonic() + 90
    while change["state"] not in FINAL and time.monotonic() < deadline:
        change = opmas.call("change.show", id=change["id"], seen=change["serial"], wait=10)
    return change


def sums(opmas: Opmas) -> str:
    return opmas.host.run("sha256sum", *WATCHED).stdout


def as_user(opmas: Opmas, user: str, *argv: str) -> tuple[int, str]:
    done = opmas.host.run("runuser", "-u", user, "--", *argv, check=False)
    return done.returncode, done.stdout + done.stderr


def test_neither_program_nor_hooks_can_do_more_than_an_agent(intruder: Opmas):
    change = update(intruder, "2.0.0")
    assert change["state"] == "committed", change
    ready(intruder, "2.0.0")

    for who in ("run", *HOOKS):
        found = json.loads(intruder.host.run("cat", f"{HOME}/{who}.json").stdout)
        open_to_it = [name for name, what in found["attempts"].items() if what != "refused"]

        assert (who, found["root"], open_to_it) == (who, False, [])
        assert (who, sorted(found["rights"])) == (who, ["0000000000000000", "1"])


def test_what_a_migration_ruined_comes_back_and_leads_nowhere(intruder: Opmas):
    before, watched = intruder.host.run("sh", "-c", LOOK).stdout, sums(intruder)
    version = intruder.show("intruder")["version"]

    change = update(intruder, "3.0.0")

    assert change["state"] == "reverted", change
    ready(intruder, version)
    assert intruder.host.run("sh", "-c", LOOK).stdout == before
    assert sums(intruder) == watched
    assert intruder.host.run("ls", "-A", str(Path(HOME).parent)).stdout.split() == ["intruder"]
    wait_for(
        lambda: not intruder.host.run("ls", "-A", "/var/lib/opmas/snapshots").stdout.split(),
        20, "its copy is gone",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/link-1.0.0.opmas",  # a link to a file
        "/tmp/way/secret-1.0.0.opmas",  # by a link to its directory
        "/tmp/pipe-1.0.0.opmas",
        "/tmp/device-1.0.0.opmas",
        "/tmp/folder-1.0.0.opmas",
        "/tmp/opmas-agent-link_1.0_all.deb",
        "/tmp/opmas-agent-pipe_1.0_all.deb",
        "/tmp/opmas-agent---root=_1.0_all.deb",
    ],
)
def test_a_member_of_the_group_learns_nothing_by_naming_a_file(opmas: Opmas, path: str):
    opmas.host.run(
        "sh", "-c",
        "cd /tmp && ln -sfn /root/secret-1.0.0.opmas link-1.0.0.opmas && ln -sfn /root way"
        " && ln -sfn /etc/shadow opmas-agent-link_1.0_all.deb"
        " && ln -sfn /etc/shadow opmas-agent---root=_1.0_all.deb && mkdir -p folder-1.0.0.opmas"
        " && for p in pipe-1.0.0.opmas opmas-agent-pipe_1.0_all.deb; do"
        " [ -p $p ] || mkfifo -m 666 $p; done"
        " && ln -sfn /dev/zero device-1.0.0.opmas",
    )  # fmt: skip

    code, said = as_user(opmas, "member", "opmas", "package", "install", path)
    shown = opmas.run("change", "list", "--json").stdout + opmas.run("events", "--json").stdout

    assert code != 0
    assert SECRET not in said + shown
    assert opmas.host.run("head", "-n1", "/etc/shadow").stdout.strip() not in said + shown


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/opmas/packages/intruder/9.0.0",
        "/var/lib/opmas/jobs/1-1",
        "/var/lib/opmas/bundles/x-1.0.0.opmas",
        "/var/lib/opmas-api/uploads/0000000000000000.opmas",
        "/var/cache/opmas/debs/x.deb",
        "/usr/share/opmas/bundles/x-1.0.0.opmas",
        "/etc/opmas/trusted-keys.d/x.pub",
        "/run/opmas/x",
    ],
)
@pytest.mark.parametrize("user", ["stranger", "member", "opmas-api"])
def test_no_user_puts_a_bundle_where_it_is_believed(opmas: Opmas, user: str, path: str):
    own = user == "opmas-api" and path.startswith("/var/lib/opmas-api/")

    code, _ = as_user(opmas, user, "mkdir", "-p", path)

    assert (code == 0) is own


def test_a_stranger_cannot_ask_for_anything(opmas: Opmas):
    code, said = as_user(opmas, "stranger", "opmas", "package", "list")

    assert code != 0
    assert "intruder" not in said


@pytest.mark.parametrize("user", ["member", "opmas-api"])
def test_no_member_of_the_group_runs_a_script_as_root(opmas: Opmas, user: str, tmp_path: Path):
    script = {"postinst": "touch /root/owned"}
    deb = build_deb(Sample("opmas-agent-evil", "1.0", scripts=script), tmp_path)
    opmas.host.copy_in(deb, f"/tmp/{deb.name}")
    opmas.host.run("chmod", "644", f"/tmp/{deb.name}")

    code, said = as_user(opmas, user, "opmas", "package", "install", f"/tmp/{deb.name}")

    assert code != 0
    assert "scripts are root's" in said
    assert opmas.host.run("test", "-e", "/root/owned", check=False).returncode != 0
