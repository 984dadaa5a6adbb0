"""`opmas diagnose` on a host whose agent tells its secrets, with one part after another broken."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.lab import wait_for
from tests.system.diagnose.archives import Unpacked, layers
from tests.system.manager.opmas import Opmas, add_test_agents

if TYPE_CHECKING:
    from tests.lab import Host

PACKAGES: Final = Path(__file__).parent / "packages"
# No word of the texts around them, and nothing that any but a known secret or a name would catch.
MARKED: Final = "canary marked/väl+ue&of=it"
LINES: Final = "canary-line-one-of-it\ncanary-line-two-of-it"
PASSWORD: Final = "CANARY-pass-9'q\"z"
API_KEY: Final = "Canary.Api.Key.55"
TOKEN: Final = "CANARY-env-77-token"
PLAIN: Final = "CANARY-url-pass-31"
URL: Final = f"postgres://app:{PLAIN}@db.example.org/app?sslkey=CANARY-sslkey-1"
SETTING: Final = "CANARY-setting-42"
CREDENTIAL: Final = "canary credential of systemd"
OPTION: Final = "CANARY-option-63"
KEY_BODY: Final = "CANARY" * 8  # of a private key, in base64
CANARIES: Final = [
    *(MARKED, *LINES.splitlines(), PASSWORD, API_KEY, TOKEN, PLAIN, SETTING, CREDENTIAL, OPTION),
    *("CANARY-sslkey-1", "CANARY-bearer-0123456789abcdef", "CANARY-query-0123456789"),
    *("canary marked/v", "l+ue&of=it"),  # what is left of it where only ASCII passes
    KEY_BODY,
]
LEAKY_LOG: Final = "journal/agents/leaky.log"
LONGEST: Final = 5.0  # seconds: what is promised
LARGEST: Final = 5_000_000  # bytes
DROP_IN: Final = f"""[Service]
Environment=LEAKY_TOKEN={TOKEN} "PLAIN_VALUE={PLAIN}"
SetCredential=mine:{CREDENTIAL}
ExecStartPre=-/bin/true --password {OPTION} --verbose
"""


@pytest.fixture(scope="module")
def opmas(shared_host: Host) -> Opmas:
    """OPMAS with the agent leaky, which has said all of it, and one that cannot run."""
    add_test_agents(shared_host)
    shared_host.copy_in(PACKAGES, "/opt/agents")
    shared_host.run("chmod", "-R", "a+rX", "/opt/agents")
    drop_in = "/etc/systemd/system/opmas-agent@leaky.service.d/leaky.conf"
    write = 'mkdir -p "${1%/*}" && cat >"$1" && systemctl daemon-reload'
    shared_host.run("sh", "-c", write, "sh", drop_in, input=DROP_IN)
    drop_in = "/etc/systemd/system/opmas-manager.service.d/proxy.conf"
    proxy = f"[Service]\nEnvironment=HTTPS_PROXY=http://me:{SETTING}@proxy:3128\n"
    shared_host.run("sh", "-c", write, "sh", drop_in, input=proxy)
    shared_host.run("systemctl", "restart", "opmas-manager")
    opmas = Opmas(shared_host)
    opmas.up()
    opmas.run("package", "scan")
    config = {
        "marked": MARKED,
        "lines": LINES,
        "db": {"password": PASSWORD, "url": URL},
        "apiKeys": [API_KEY],
    }
    opmas.create("leaky", "leaky", **config)
    opmas.create("broken", "crasher", code=78, after=0)
    opmas.wait("leaky", lambda view: view["health"] == "degraded", "leaky has said it")
    return opmas


def diagnose(opmas: Opmas, *arguments: str) -> tuple[Unpacked, float]:
    """Make an archive and return it with the seconds that it took in the host."""
    path = "/root/diagnosis.tar.gz"
    opmas.host.run("rm", "-f", path)
    begin = time.monotonic()
    opmas.run("diagnose", "--output", path, *arguments)
    taken = time.monotonic() - begin
    mode = opmas.host.run("stat", "-c", "%a %U", path).stdout.strip()
    assert mode == "600 root"
    return Unpacked.of(opmas.host.root / path.lstrip("/")), taken


def test_no_secret_is_in_the_archive_in_any_form(opmas: Opmas):
    journal = opmas.host.run("journalctl", "-o", "cat", "-u", "opmas-agent@leaky").stdout

    archive, taken = diagnose(opmas, "--agent", "leaky", "--since", "1h")

    said = [c for c in CANARIES if any(c.encode() in layer for layer in layers(journal.encode()))]
    assert set(CANARIES) - set(said) == {SETTING, CREDENTIAL, OPTION}
    assert archive.leaks(CANARIES) == []
    assert taken < LONGEST


def test_it_holds_what_is_needed(opmas: Opmas):
    archive, _ = diagnose(opmas)

    rows = {row["agent"]: row for row in archive.rows("agents/compared.jsonl")}
    settings = archive.json("settings/opmas.yaml.json")
    assert len(archive.tops) == 1
    assert archive.modes == {0o600}
    assert rows["leaky"]["differences"] == []
    assert rows["broken"]["differences"]
    assert "explain/broken.json" in archive.files
    assert archive.json("history/broken.json")["states"][-1]["phase"] == rows["broken"]["phase"]
    assert "agent/broken" in {alert["subject"] for alert in archive.rows("alerts.jsonl")}
    assert archive.json("timings.json")["steps"]["bridge's answer"] < 1
    assert archive.json("database/integrity.json")["sound"] is True
    assert settings["manager.packages_path"]["from"] == "opmas.yaml"
    assert settings["manager.socket"]["from"] == "default"
    assert archive.json("versions.json")["packages"]["opmas-manager"]
    assert archive.json("timings.json")["steps"]["manager's round trip"] < 1
    assert {row["Id"] for row in archive.rows("units/show.jsonl")} >= {"opmas-manager.service"}
    assert archive.rows("events.jsonl")[-1]["sequence"] == opmas.last_event()
    assert "Secrets" not in archive.problems
    assert archive.json("doctor.json")["checks"]


def test_the_same_secret_has_the_same_mark(opmas: Opmas):
    def whole() -> Unpacked | None:  # a busy machine may have no time for all of it
        found, _ = diagnose(opmas, "--agent", "leaky")
        return found if {"database/agents.jsonl", LEAKY_LOG} <= set(found.files) else None

    archive = wait_for(whole, 60, "an archive with the agent's log")

    stored = next(row for row in archive.rows("database/agents.jsonl") if row["name"] == "leaky")
    mark = stored["spec"]["config"]["marked"]
    assert mark.startswith("[redacted:")
    assert f"<6> using {mark} now" in archive.text(LEAKY_LOG)
    assert archive.leaks(CANARIES) == []


def test_it_goes_to_standard_output_and_says_itself_as_json(opmas: Opmas):
    script = "opmas diagnose --output - >/root/piped.tar.gz"
    opmas.host.run("sh", "-c", script)
    told = json.loads(opmas.run("diagnose", "--output", "/root", "--json").stdout)

    assert Unpacked.of(opmas.host.root / "root/piped.tar.gz").files
    assert told["schema"] == "opmas.diagnosis/v1"
    assert told["bytes"] == (opmas.host.root / told["path"].lstrip("/")).stat().st_size


def test_the_group_gets_what_it_may_read(opmas: Opmas):
    opmas.host.run("sh", "-c", "id helper || useradd --create-home --groups opmas helper")
    done = opmas.host.run(
        "runuser", "-u", "helper", "--", "opmas", "diagnose", "-o", "/home/helper"
    )

    (path,) = (opmas.host.root / "home/helper").glob("*.tar.gz")
    archive = Unpacked.of(path)
    assert "only root" in done.stdout + archive.problems
    assert archive.leaks(CANARIES) == []
    assert archive.rows("agents/views.jsonl")
    assert not any(name.startswith("journal/agents") for name in archive.files)


def test_a_manager_that_hangs_does_not_hang_it(opmas: Opmas):
    manager = opmas.property("opmas-manager", "MainPID")
    opmas.host.run("kill", "-STOP", manager)
    try:
        archive, taken = diagnose(opmas)
    finally:
        opmas.host.run("kill", "-CONT", manager)

    assert taken < LONGEST
    assert "took too long" in archive.problems
    states = {row["pid"]: row["state"] for row in archive.rows("processes.jsonl")}
    assert [state for state in states.values() if state and state.startswith("T")]
    assert archive.rows("database/agents.jsonl")
    checks = {check["name"]: check["status"] for check in archive.json("doctor.json")["checks"]}
    assert (checks["manager"], checks["database"]) == ("failed", "ok")
    assert archive.leaks(CANARIES) == []
    opmas.up()


def test_a_hanging_bus_does_not_hang_it(opmas: Opmas):
    bus = opmas.property("dbus", "MainPID")
    opmas.host.run("kill", "-STOP", bus)
    try:
        archive, taken = diagnose(opmas)
    finally:
        opmas.host.run("kill", "-CONT", bus)

    assert taken < LONGEST
    assert archive.rows("agents/views.jsonl")


def test_a_locked_database_costs_only_itself(opmas: Opmas):
    script = (
        "import sqlite3, sys, time; c = sqlite3.connect('/var/lib/opmas/manager.db');"
        "c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    opmas.host.run("systemctl", "stop", "opmas-manager")
    with opmas.host.popen("python3", "-c", script) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        archive, taken = diagnose(opmas)
        holder.communicate("")
    opmas.host.run("systemctl", "start", "opmas-manager")

    assert taken < LONGEST
    assert "database is locked" in archive.problems
    assert archive.leaks(CANARIES) == []
    assert {row["agent"] for row in archive.rows("agents/declared.jsonl")} == {"leaky", "broken"}
    opmas.up()


def test_without_a_manager_and_with_a_damaged_database_there_is_still_an_archive(opmas: Opmas):
    host = opmas.host
    host.run("systemctl", "stop", "opmas-manager", "opmas-api.socket", "opmas-api")
    spoil = (
        "cp /var/lib/opmas/manager.db /root/good.db;"
        "dd if=/dev/urandom of=/var/lib/opmas/manager.db bs=4096 seek=1 count=6 conv=notrunc"
    )
    host.run("sh", "-c", spoil)
    try:
        archive, taken = diagnose(opmas)
    finally:
        host.run(
            "sh", "-c", "rm /var/lib/opmas/manager.db*; mv /root/good.db /var/lib/opmas/manager.db"
        )
        host.run("systemctl", "start", "opmas-manager", "opmas-api.socket")

    assert taken < LONGEST
    assert archive.leaks(CANARIES) == []
    assert archive.json("database/integrity.json")["sound"] is not True
    rows = {row["agent"]: row for row in archive.rows("agents/compared.jsonl")}
    assert (rows["leaky"]["expected"], rows["leaky"]["active"]) == ("running", "active")
    wait_for(opmas.up, 30, "the manager is back")


def test_an_archive_that_cannot_be_written_says_so_and_leaves_nothing(opmas: Opmas):
    done = opmas.run("diagnose", "--output", "/proc/none/x.tar.gz", check=False)

    assert done.returncode == 7
    assert "cannot write /proc/none/x.tar.gz" in done.stderr
