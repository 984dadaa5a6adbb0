"""What is let through to apt and dpkg, and how their answers are read."""

from pathlib import Path

import pytest

from opmas.core.job import JobKind
from opmas.errors import InvalidError
from opmas.work import debs
from opmas.work.apt import Policy, parse_policy
from opmas.work.dpkg import DEB_NAME, DEB_VERSION, Conffile, Status, parse_conffiles
from tests.unit.work.tasks import task_in

POLICY = """opmas-agent-web:
  Installed: 1.0
  Candidate: 2.0-1
  Version table:
     2.0-1 500
        500 http://127.0.0.1:8099 ./ Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
"""
MADISON = """opmas-agent-web |      2.0-1 | http://127.0.0.1:8099 ./ Packages
opmas-agent-web |      2.0-1 | http://other ./ Packages
opmas-agent-web |        1.5 | http://127.0.0.1:8099 ./ Packages
opmas-agent-web |        3.0 | http://127.0.0.1:8099 ./ Sources
"""


@pytest.mark.parametrize(
    "name", ["opmas-agent-web", "opmas-agent-a", "opmas-agent-node-exporter2"]
)
def test_packages_of_agents_are_let_through(name: str) -> None:
    assert DEB_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    ["", "bash", "opmas-manager", "opmas-agent-", "opmas-agent-web-", "opmas-agent-web+",
     "opmas-agent-web=1", "opmas-agent-web:amd64", "opmas-agent-*", "opmas-agent-Web",
     "opmas-agent-web bash", "opmas-agent-web\n", "-oopmas-agent-web", "./opmas-agent-web",
     "opmas-agent-web/stable", "xopmas-agent-web", "opmas-agent-" + "x" * 70],
)  # fmt: skip
@pytest.mark.parametrize("kind", [kind for kind in JobKind if kind.startswith("apt-")])
def test_other_packages_are_not(tmp_path: Path, name: str, kind: JobKind) -> None:
    task = task_in(tmp_path, kind, deb=name, version="1.0", hold=True)
    does = {
        JobKind.APT_INSTALL: debs.install,
        JobKind.APT_ROLLBACK: debs.roll_back,
        JobKind.APT_REMOVE: debs.remove,
        JobKind.APT_HOLD: debs.hold,
        JobKind.APT_POLICY: debs.policy,
        JobKind.APT_REFRESH: debs.refresh,  # takes no package at all
    }[kind]

    with pytest.raises(InvalidError, match="deb"):
        does(task)


@pytest.mark.parametrize("version", ["1", "1.0", "2:1.0-1", "1.0~rc1+git2020-3", "0.2.0+1"])
def test_versions_are_let_through(version: str) -> None:
    assert DEB_VERSION.fullmatch(version)


@pytest.mark.parametrize(
    "version",
    ["", "-1", "a", "1 -o", "1\n", "1+", "1-", "1~", "1/stable", "$(x)", "1;x", ":1", "x:1",
     "1" * 200],
)  # fmt: skip
def test_what_is_no_version_is_not(version: str) -> None:
    assert not DEB_VERSION.fullmatch(version)


def test_versions_come_in_the_order_of_apt() -> None:
    assert parse_policy(POLICY, MADISON) == Policy("1.0", "2.0-1", ("2.0-1", "1.5"))


def test_a_package_that_apt_does_not_know_has_no_versions() -> None:
    assert parse_policy("", "") == Policy()
    none = "x:\n  Installed: (none)\n  Candidate: (none)\n"
    assert parse_policy(none, "") == Policy()


def test_conffiles_are_read_with_their_flags() -> None:
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    text = (
        f" /etc/plain {digest}\n /etc/with space {digest} obsolete\n"
        f" /etc/gone {digest} remove-on-upgrade\n /etc/new newconffile\n nonsense\n"
    )

    assert parse_conffiles(text) == (
        Conffile("/etc/plain", digest),
        Conffile("/etc/with space", digest, obsolete=True),
        Conffile("/etc/gone", digest),
        Conffile("/etc/new", "newconffile"),
    )


def test_what_was_begun_is_read_back(tmp_path: Path) -> None:
    task = task_in(tmp_path, JobKind.APT_INSTALL, deb="opmas-agent-web")
    work = debs._Work(task, "opmas-agent-web")

    begun = work.begin(Status(), "2.0")

    assert work.begun() == begun
    assert (begun.version, begun.cached, begun.target) == ("", "", "2.0")


def test_what_another_job_of_the_same_number_had_begun_is_not(tmp_path: Path) -> None:
    other = task_in(tmp_path, JobKind.APT_INSTALL, deb="opmas-agent-other")
    debs._Work(other, "opmas-agent-other").begin(Status(), "2.0")
    task = task_in(tmp_path, JobKind.APT_INSTALL, deb="opmas-agent-web")

    assert debs._Work(task, "opmas-agent-web").begun() is None


@pytest.mark.parametrize("candidate", ["1.0-", "1.0+", "1.0 x", "1.0/stable"])
def test_a_repository_cannot_name_what_apt_takes_for_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, candidate: str
) -> None:
    known = Policy("", candidate, (candidate,))
    monkeypatch.setattr("opmas.work.apt.policy", lambda _deb: known)
    task = task_in(tmp_path, JobKind.APT_INSTALL, deb="opmas-agent-web")

    with pytest.raises(InvalidError, match="is no version of it"):
        debs._Work(task, "opmas-agent-web").find_target("")
