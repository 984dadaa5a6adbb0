"""Debian packages of agents, by a real apt and dpkg from a signed repository of the host's own."""

from itertools import count
from typing import Any

import pytest

from tests.lab import Host, wait_for
from tests.system.apt_repository import Repository, Sample, deb_file
from tests.system.work.conftest import EDITED, NEW, PLAIN, STOPS, WEB, web
from tests.system.work.jobs import JOBS, done, put_job, result_of, run_job

HOLD_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
numbers = count(1)


@pytest.fixture(scope="module")
def host(work_host: Host, repository: Repository) -> Host:
    """A host whose repository has versions of the sample, good and bad."""
    repository.add(
        web("1.0"),
        web("2.0"),
        web("3.0", scripts={"postinst": "echo cannot go on >&2; exit 1"}),
        web("4.0", scripts={"postinst": STOPS}),
        web("5.0", scripts={"postinst": "sleep 300 &"}),
        web("6.0", control={"Conflicts": "opmas-agent-friend"}),
        web("7.0", control={"Depends": "opmas-agent-missing"}),
        web("8.0", scripts={"postinst": "sleep 6"}),
        Sample("opmas-agent-friend", "1.0"),
        Sample("opmas-agent-above", "1.0", control={"Depends": WEB}),
    )
    repository.publish(work_host)
    done(work_host, name(), "apt-refresh")
    return work_host


@pytest.fixture
def at_one(host: Host) -> Host:
    """The host with version 1.0 of the sample, one configuration file edited."""
    host.run("dpkg", "--purge", "opmas-agent-above", WEB, check=False)
    host.run("sh", "-c", "rm -rf /etc/web* /run/reached /run/go /var/cache/opmas/debs")
    done(host, name(), "apt-install", deb=WEB, version="1.0")
    host.run("sh", "-c", f"echo mine >> {EDITED}; chmod 640 {EDITED}; chgrp adm {EDITED}")
    return host


def name() -> str:
    return f"{next(numbers)}-1"


def shell(host: Host, text: str) -> str:
    return host.run("sh", "-c", text).stdout


def version(host: Host) -> str:
    return host.run("dpkg-query", "-Wf", "${Version} ${db:Status-Abbrev}", WEB).stdout.strip()


def configuration(host: Host) -> str:
    return shell(host, "cd /etc; for f in web*; do stat -c '%n %a %U:%G' $f; cat $f; done")


def audit(host: Host) -> str:
    return shell(host, "dpkg --audit; debsums -s $(dpkg-query -Wf '${Package} ' 'opmas-agent-w*')")


def test_an_update_installs_what_apt_would_and_keeps_what_it_replaces(at_one: Host) -> None:
    result = done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    assert (result["before"], result["after"], result["audit"]) == ("1.0", "2.0", [])
    assert version(at_one) == "2.0 ii"
    kept = at_one.run("dpkg-deb", "-f", result["cached"], "Version").stdout
    assert kept == "1.0\n"


def test_a_job_that_goes_on_has_longer_than_one_that_says_nothing(at_one: Host) -> None:
    impatient = "/run/systemd/system/opmas-apt@.service.d/impatient.conf"
    shell(at_one, f"mkdir -p {impatient.rpartition('/')[0]}")
    at_one.run("tee", impatient, input="[Service]\nTimeoutStartSec=5s\n")
    at_one.run("systemctl", "daemon-reload")
    try:
        result = done(at_one, name(), "apt-install", deb=WEB, version="8.0")
    finally:
        at_one.run("rm", "-r", impatient.rpartition("/")[0])
        at_one.run("systemctl", "daemon-reload")

    assert result["after"] == "8.0"


def test_an_edited_configuration_file_asks_nothing(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    assert shell(at_one, f"cat {EDITED}") == "shipped 1.0\nmine\n"
    assert shell(at_one, f"cat {PLAIN}") == "plain 2.0\n"


def test_a_rollback_brings_everything_back_as_it_was(at_one: Host) -> None:
    before = configuration(at_one)
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    result = done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    assert version(at_one) == "1.0 hi"
    assert configuration(at_one) == before
    assert audit(at_one) == ""
    assert result["previous"] == "2.0"
    assert (result["audit"], result["debsums"], result["held"]) == ([], [], True)


def test_a_rollback_is_not_undone_by_the_next_upgrade(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    at_one.run("apt-get", "-y", "upgrade")

    assert version(at_one) == "1.0 hi"
    assert shell(at_one, "apt-mark showhold") == f"{WEB}\n"


def test_a_rollback_needs_no_repository(at_one: Host, repository: Repository) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    at_one.run("systemctl", "stop", "lab-apt.service")

    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    repository.publish(at_one)
    assert version(at_one) == "1.0 hi"


def test_what_a_rollback_replaces_can_be_returned_to(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    done(at_one, name(), "apt-rollback", deb=WEB, version="2.0")

    assert version(at_one) == "2.0 hi"
    assert shell(at_one, f"cat {NEW} {PLAIN}") == "new\nplain 2.0\n"
    assert audit(at_one) == ""


def test_a_rollback_without_a_version_is_to_the_one_before(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    back = done(at_one, name(), "apt-rollback", deb=WEB, hold=False)
    further = run_job(at_one, name(), "apt-rollback", deb=WEB)

    assert (back["version"], back["held"]) == ("1.0", False)
    assert version(at_one) == "1.0 ii"
    assert further["message"].endswith("older than 1.0: name the version")


def test_a_script_that_fails_is_said_exactly_and_rolled_back_cleanly(at_one: Host) -> None:
    before = configuration(at_one)

    failed = run_job(at_one, name(), "apt-install", deb=WEB, version="3.0")
    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    assert not failed["ok"]
    assert failed["code"] == "unavailable"
    assert failed["result"]["before"] == "1.0"
    assert "cannot go on" in failed["problems"]
    assert any(p.startswith("dpkg --audit:") and WEB in p for p in failed["problems"])
    assert version(at_one) == "1.0 hi"
    assert configuration(at_one) == before
    assert audit(at_one) == ""


def test_a_worker_that_is_killed_within_dpkg_finishes_when_run_again(at_one: Host) -> None:
    job = name()
    unit = put_job(at_one, job, "apt-install", deb=WEB, version="4.0")
    at_one.run("systemctl", "start", "--no-block", unit)
    wait_for(lambda: is_there(at_one, "/run/reached"), 20, "the script of the package runs")

    at_one.run("systemctl", "kill", "--signal=KILL", unit)
    wait_for(lambda: state(at_one, unit) == "inactive", 10, "the unit is over")
    at_one.run("touch", "/run/go")
    at_one.run("systemctl", "start", unit)

    outcome = result_of(at_one, job)
    assert outcome["ok"], outcome
    assert (outcome["result"]["before"], outcome["result"]["after"]) == ("1.0", "4.0")
    assert version(at_one) == "4.0 ii"
    assert audit(at_one) == ""


def test_a_worker_that_is_killed_within_dpkg_can_be_rolled_back(at_one: Host) -> None:
    before = configuration(at_one)
    job = name()
    unit = put_job(at_one, job, "apt-install", deb=WEB, version="4.0")
    at_one.run("systemctl", "start", "--no-block", unit)
    wait_for(lambda: is_there(at_one, "/run/reached"), 20, "the script of the package runs")
    at_one.run("systemctl", "kill", "--signal=KILL", unit)
    wait_for(lambda: state(at_one, unit) == "inactive", 10, "the unit is over")

    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    assert version(at_one) == "1.0 hi"
    assert configuration(at_one) == before
    assert audit(at_one) == ""


def test_a_stop_lets_dpkg_finish(at_one: Host) -> None:
    job = name()
    unit = put_job(at_one, job, "apt-install", deb=WEB, version="4.0")
    at_one.run("systemctl", "start", "--no-block", unit)
    wait_for(lambda: is_there(at_one, "/run/reached"), 20, "the script of the package runs")

    at_one.run("systemctl", "stop", "--no-block", unit)
    at_one.run("touch", "/run/go")
    wait_for(lambda: is_there(at_one, f"{JOBS}/{job}/result.json"), 20, "the job is over")

    assert version(at_one) == "4.0 ii"
    assert result_of(at_one, job)["message"] == "cannot finish the job: its unit was stopped"


def test_a_daemon_that_a_script_leaves_behind_holds_nothing_up(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="5.0")

    assert version(at_one) == "5.0 ii"


def test_no_other_package_is_removed(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb="opmas-agent-friend")

    outcome = run_job(at_one, name(), "apt-install", deb=WEB, version="6.0")

    assert not outcome["ok"]
    assert any("remove" in problem for problem in outcome["problems"]), outcome
    assert version(at_one) == "1.0 ii"
    assert (
        "ii" in at_one.run("dpkg-query", "-Wf", "${db:Status-Abbrev}", "opmas-agent-friend").stdout
    )


def test_what_depends_on_a_package_keeps_it(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb="opmas-agent-above")

    outcome = run_job(at_one, name(), "apt-remove", deb=WEB, purge=False)

    assert not outcome["ok"]
    assert any("opmas-agent-above" in problem for problem in outcome["problems"])
    assert version(at_one) == "1.0 ii"


def test_a_missing_dependency_changes_nothing(at_one: Host) -> None:
    outcome = run_job(at_one, name(), "apt-install", deb=WEB, version="7.0")

    assert not outcome["ok"]
    assert any("opmas-agent-missing" in problem for problem in outcome["problems"])
    assert version(at_one) == "1.0 ii"
    assert audit(at_one) == ""


def test_a_downgrade_is_made_only_when_asked_for(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    refused = run_job(at_one, name(), "apt-install", deb=WEB, version="1.0")
    asked = done(at_one, name(), "apt-install", deb=WEB, version="1.0", allow_downgrade=True)

    assert refused["code"] == "invalid-request"
    assert (asked["before"], asked["after"]) == ("2.0", "1.0")


def test_a_held_package_is_let_alone_until_it_is_let_go(at_one: Host) -> None:
    done(at_one, name(), "apt-hold", deb=WEB, hold=True)

    refused = run_job(at_one, name(), "apt-install", deb=WEB, version="2.0")
    done(at_one, name(), "apt-hold", deb=WEB, hold=False)
    taken = done(at_one, name(), "apt-install", deb=WEB, version="2.0")

    assert "it is held" in refused["message"]
    assert taken["after"] == "2.0"


@pytest.mark.parametrize(("purge", "left"), [(False, "plain 1.0\n"), (True, "")])
def test_a_package_is_removed(at_one: Host, purge: bool, left: str) -> None:
    result = done(at_one, name(), "apt-remove", deb=WEB, purge=purge)

    assert result["before"] == "1.0"
    assert shell(at_one, f"cat {PLAIN} 2>/dev/null; true") == left
    assert not is_there(at_one, "/usr/lib/web/version")


def test_a_removed_package_comes_back_by_a_rollback(at_one: Host) -> None:
    before = configuration(at_one)
    done(at_one, name(), "apt-remove", deb=WEB, purge=True)

    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    assert version(at_one) == "1.0 hi"
    assert configuration(at_one) == before


def test_a_local_file_is_installed_and_kept(at_one: Host, repository: Repository) -> None:
    at_one.copy_in(repository.folder / deb_file(WEB, "2.0"), "/root/some.deb")
    result = done(at_one, name(), "apt-install", deb=WEB, path="/root/some.deb")
    at_one.run("rm", "/root/some.deb")

    policy = done(at_one, name(), "apt-policy", deb=WEB)

    assert result["after"] == "2.0"
    assert policy["kept"] == ["2.0", "1.0"]


def test_a_local_file_of_another_package_is_refused(at_one: Host, repository: Repository) -> None:
    at_one.copy_in(repository.folder / deb_file("opmas-agent-friend", "1.0"), "/root/web.deb")

    outcome = run_job(at_one, name(), "apt-install", deb=WEB, path="/root/web.deb")

    assert outcome["code"] == "invalid-value"
    assert outcome["message"].endswith("it is opmas-agent-friend, not opmas-agent-web")


def test_a_version_that_nobody_has_any_more_is_rebuilt_before_it_is_replaced(
    at_one: Host, repository: Repository
) -> None:
    at_one.run("sh", "-c", "rm -f /var/cache/opmas/debs/* /var/cache/apt/archives/*.deb")
    at_one.run("sh", "-c", f"rm /srv/apt/{WEB}_1.0_all.deb")
    before = configuration(at_one)

    result = done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    repository.publish(at_one)
    assert result["cached"].endswith("opmas-agent-web_1.0_all.deb")
    assert version(at_one) == "1.0 hi"
    assert configuration(at_one) == before


@pytest.mark.parametrize(
    ("lock", "kind", "params"),
    [
        ("/var/lib/dpkg/lock-frontend", "apt-install", {"deb": WEB, "version": "2.0"}),
        ("/var/lib/apt/lists/lock", "apt-refresh", {}),
        ("/var/cache/apt/archives/lock", "apt-install", {"deb": WEB, "version": "2.0"}),
    ],
)
def test_a_lock_of_another_program_is_waited_for(
    at_one: Host, lock: str, kind: str, params: dict[str, Any]
) -> None:
    job = name()
    log = f"{JOBS}/{job}/apt.log"
    at_one.run("rm", "-f", f"/var/cache/apt/archives/{WEB}_2.0_all.deb")
    with at_one.popen("python3", "-c", HOLD_LOCK, lock) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        at_one.run("systemctl", "start", "--no-block", put_job(at_one, job, kind, **params))
        wait_for(lambda: "get lock" in shell(at_one, f"cat {log} || true"), 20, "it waits")
        holder.stdin.close()
    wait_for(lambda: is_there(at_one, f"{JOBS}/{job}/result.json"), 30, "the job is over")

    assert result_of(at_one, job)["ok"]


def test_a_rollback_waits_for_dpkg(at_one: Host) -> None:
    done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    job = name()
    with at_one.popen("python3", "-c", HOLD_LOCK, "/var/lib/dpkg/lock-frontend") as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        unit = put_job(at_one, job, "apt-rollback", deb=WEB, version="1.0")
        at_one.run("systemctl", "start", "--no-block", unit)
        wait_for(lambda: is_there(at_one, f"{JOBS}/{job}/begun.json"), 10, "it has begun")
        holder.stdin.close()
    wait_for(lambda: is_there(at_one, f"{JOBS}/{job}/result.json"), 30, "the job is over")

    assert result_of(at_one, job)["ok"]
    assert version(at_one) == "1.0 hi"


def test_a_repository_that_cannot_be_had_is_named(at_one: Host, repository: Repository) -> None:
    at_one.run("systemctl", "stop", "lab-apt.service")

    outcome = run_job(at_one, name(), "apt-refresh")

    repository.publish(at_one)
    assert outcome["code"] == "unavailable"
    assert any("127.0.0.1:8099" in problem for problem in outcome["problems"])


def test_an_unsigned_repository_is_refused(at_one: Host, repository: Repository) -> None:
    at_one.run("sh", "-c", "cd /srv/apt; sed -i s/lab/bal/ InRelease")

    outcome = run_job(at_one, name(), "apt-refresh")

    repository.publish(at_one)
    assert not outcome["ok"]


def test_a_repository_of_files_serves_as_well(at_one: Host, repository: Repository) -> None:
    repository.publish(at_one, scheme="file")
    done(at_one, name(), "apt-refresh")

    result = done(at_one, name(), "apt-install", deb=WEB, version="2.0")
    done(at_one, name(), "apt-rollback", deb=WEB, version="1.0")

    repository.publish(at_one)
    done(at_one, name(), "apt-refresh")
    assert result["cached"].endswith("opmas-agent-web_1.0_all.deb")


def is_there(host: Host, path: str) -> bool:
    return host.run("test", "-e", path, check=False).returncode == 0


def state(host: Host, unit: str) -> str:
    return host.run("systemctl", "show", "-P", "ActiveState", unit).stdout.strip()
