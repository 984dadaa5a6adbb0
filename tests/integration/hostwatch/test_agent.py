"""hostwatch as its users have it: what it tells the manager of a host that changes."""

import signal
import subprocess

CONFIG = {"interval": 1}
FULL = b"x" * (1000 * 1024)
CROSSED = {"type": "threshold.crossed", "severity": "warning"}


def crossings(manager):
    return [
        (event["type"], event["data"]["rule"], event["data"]["instance"])
        for event in manager.all("event")
    ]


def test_a_file_system_that_fills_and_empties_is_told_once_each(start, manager, disk):
    start(CONFIG)
    manager.wait_for("metrics")
    (disk / "file").write_bytes(FULL)

    error = manager.wait_for("event", type="threshold.crossed", severity="error")
    (disk / "file").unlink()
    manager.wait_for("event", type="threshold.cleared")

    assert error["message"].startswith(f"file system {disk} is nearly full, 9")
    assert error["data"]["value"] > 95
    assert error["data"]["since"].endswith("Z")
    assert crossings(manager)[:3] == [
        ("threshold.crossed", "filesystem_used", str(disk)),
        ("threshold.crossed", "filesystem_used_critical", str(disk)),
        ("threshold.cleared", "filesystem_used", str(disk)),
    ]


def test_a_restart_tells_nothing_again_and_knows_what_is_raised(start, manager, disk):
    (disk / "file").write_bytes(b"x" * (950 * 1024))
    agent = start(CONFIG)
    manager.wait_for("event", **CROSSED)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(10) == 0

    start(CONFIG)
    manager.wait_for("health", message=f"crossed: filesystem_used of {disk}")
    (disk / "file").unlink()
    manager.wait_for("event", type="threshold.cleared")

    assert crossings(manager) == [
        ("threshold.crossed", "filesystem_used", str(disk)),
        ("threshold.cleared", "filesystem_used", str(disk)),
    ]


def test_a_file_system_that_becomes_read_only_is_told(start, manager, disk):
    start(CONFIG)
    manager.wait_for("metrics")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    event = manager.wait_for("event", type="threshold.crossed")

    assert event["message"] == f"file system {disk} has become read-only"
    assert event["severity"] == "error"


def test_a_new_configuration_counts_at_once(start, manager, disk):
    (disk / "file").write_bytes(b"x" * (600 * 1024))
    start(CONFIG)
    manager.wait_for("metrics")
    ignoring = {"thresholds": {"filesystem_used": {"raise": 50, "clear": 40}}, "interval": 1}

    answer = manager.offer_config(2, ignoring)
    event = manager.wait_for("event", **CROSSED)

    assert answer == {"version": 2, "applied": True}
    assert event["data"]["level"] == 50


def test_a_wrong_configuration_is_refused_with_its_reason_and_the_old_one_goes_on(start, manager):
    agent = start(CONFIG)
    manager.wait_for("metrics")
    wrong = {"thresholds": {"filesystem_used": {"raise": 50}}, "interval": 1}

    answer = manager.offer_config(2, wrong)

    assert answer == {
        "version": 2,
        "applied": False,
        "error": "thresholds.filesystem_used.raise: 50: must be above clear (85)",
    }
    assert agent.poll() is None


def test_a_wrong_configuration_at_the_start_ends_it_for_good(start):
    agent = start({"interval": "often"})

    assert agent.wait(10) == 78


def test_the_metrics_are_those_of_this_host(start, manager, disk):
    start(CONFIG)

    manager.wait_for("health", status="healthy", message="no threshold is crossed")
    sent = manager.wait_for("metrics")["metrics"]

    values = {(m["name"], *m["labels"].values()): m.get("value") for m in sent}
    assert values["host_memory_total_bytes",] > 0
    assert values["host_filesystem_size_bytes", "tmpfs", str(disk)] == 1024 * 1024
    assert values["host_cpus",] >= 1
