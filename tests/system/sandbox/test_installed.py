"""Agents of an installed package: what they see of it, and its hooks, under a real systemd."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import wait_for
from tests.system.sandbox.stage import PACKAGE, STATE, Stage, stage

CODE = """
import json, os
import library
from opmas.agent import BaseAgent, ConfigError

def seen():
    found = {"library": library.__file__, "code": __file__, "user": os.getuid()}
    for path in ("", "agents", "packages", "packages/look"):
        try:
            found[path] = os.listdir(f"/var/lib/opmas/{path}")
        except OSError as error:
            found[path] = error.strerror
    try:
        open(__file__, "a")
    except OSError as error:
        found["write"] = error.strerror
    return found

def keep(name, *what):
    path = os.environ["STATE_DIRECTORY"] + "/" + name
    with open(path + ".new", "w") as file:
        json.dump([*what, seen()], file)
    os.rename(path + ".new", path)

class Look(BaseAgent):
    def setup(self):
        keep("agent", dict(self.config))

    def run(self):
        pass

def check(config):
    keep("check", config)

def migrate(config, from_version, to_version):
    keep("migrate", config, from_version, to_version)

def refuse(config, *versions):
    raise ConfigError("not like this")
"""


@pytest.fixture(scope="module")
def installed() -> Iterator[Stage]:
    """A host with the package look in the place of an installed version."""
    with stage("installed") as found:
        found.write(f"{PACKAGE}/look.py", CODE)
        found.write(f"{PACKAGE}/.opmas/site/library.py", "")
        found.write(f"{PACKAGE}/bin/run", "#!/bin/sh\nexec sleep infinity\n", "755")
        found.write(f"{PACKAGE}/bin/say", '#!/bin/sh\necho "said $1"; exit "${2:-0}"\n', "755")
        found.write(f"{STATE}/manager.db", "secret")
        found.sh(f"chmod 700 {STATE} {STATE}/packages")
        yield found


def kept(installed: Stage, agent: str, name: str) -> list[Any]:
    path = f"/var/lib/private/opmas-agents/{agent}/{name}"
    text = wait_for(
        lambda: installed.host.run("cat", path, check=False).stdout or None, 10, f"{name} kept"
    )
    found: list[Any] = json.loads(text)
    return found


def test_an_agent_runs_from_its_version_and_sees_nothing_beside_it(installed: Stage) -> None:
    installed.declare("py", runtime="python", entry="look:Look")

    assert installed.systemctl("start", "opmas-agent@py")

    config, found = kept(installed, "py", "agent")
    assert config == {"a": 1}
    assert found.pop("user") != 0
    assert found == {
        "code": f"{PACKAGE}/look.py",
        "library": f"{PACKAGE}/.opmas/site/library.py",
        "": ["packages"],
        "agents": "No such file or directory",
        "packages": ["look"],
        "packages/look": ["2.0"],
        "write": "Permission denied",
    }


def test_a_program_of_the_package_is_run_where_it_is(installed: Stage) -> None:
    installed.declare("program", command=["./bin/run"])

    assert installed.systemctl("start", "opmas-agent@program")

    state, shown = installed.shown("opmas-agent@program", "ActiveState", "BindReadOnlyPaths")
    config = f"{STATE}/agents/program/config.json:/run/opmas-credentials/config.json:rbind"
    assert state == "active"
    assert shown == f"{config} -{PACKAGE}:{PACKAGE}:rbind"


def test_check_is_run_before_the_agent_with_its_configuration(installed: Stage) -> None:
    installed.declare(
        "checked", runtime="python", entry="look:Look", hooks={"check": "look:check"}
    )

    assert installed.systemctl("start", "opmas-agent@checked")

    assert kept(installed, "checked", "check")[0] == {"a": 1}


def test_an_agent_whose_check_fails_is_not_started(installed: Stage) -> None:
    installed.declare(
        "unfit", command=["./bin/say", "started"], hooks={"check": ["./bin/say", "no", "3"]}
    )

    started = installed.systemctl("start", "opmas-agent@unfit")

    installed.systemctl("stop", "opmas-agent@unfit")
    said = installed.logged("opmas-agent@unfit")
    assert not started
    assert "said no" in said
    assert "said started" not in said


def test_pre_stop_is_run_before_the_stop_and_its_failure_is_none(installed: Stage) -> None:
    installed.declare("drained", hooks={"pre_stop": ["./bin/say", "bye", "3"]})
    installed.systemctl("start", "opmas-agent@drained")

    assert installed.systemctl("stop", "opmas-agent@drained")

    assert installed.shown("opmas-agent@drained", "ActiveState", "Result") == [
        "inactive",
        "success",
    ]
    assert "said bye" in installed.logged("opmas-agent@drained")


def test_a_crash_is_no_stop(installed: Stage) -> None:
    installed.declare("crashed", hooks={"pre_stop": ["./bin/say", "bye"]})
    installed.systemctl("start", "opmas-agent@crashed")

    installed.systemctl("kill", "--signal=KILL", "--kill-who=main", "opmas-agent@crashed")

    wait_for(
        lambda: (
            installed.shown("opmas-agent@crashed", "NRestarts", "ActiveState") == ["1", "active"]
        ),
        10,
        "the restart",
    )
    assert "said bye" not in installed.logged("opmas-agent@crashed")


def test_a_migration_is_the_agent_s_user_on_the_agent_s_data(installed: Stage) -> None:
    installed.declare(
        "data", runtime="python", entry="look:Look", hooks={"migrate": "look:migrate"}
    )
    installed.systemctl("start", "opmas-agent@data")
    agent = kept(installed, "data", "agent")
    installed.systemctl("stop", "opmas-agent@data")

    assert installed.systemctl("start", "opmas-hook@data")

    assert kept(installed, "data", "migrate") == [{"a": 1}, "1.0", "2.0", agent[1]]


def test_a_migration_that_fails_fails_its_job_and_leaves_no_failed_unit(installed: Stage) -> None:
    installed.declare(
        "torn", runtime="python", entry="look:Look", hooks={"migrate": "look:refuse"}
    )

    done = installed.systemctl("start", "opmas-hook@torn")

    failed = installed.sh("systemctl list-units --failed --plain 'opmas-hook@*'")
    said = installed.logged("opmas-hook@torn")
    assert not done
    assert "opmas-hook@torn" not in failed
    assert "look:refuse: not like this" in said
    assert "status=78" in said


def test_a_migration_that_takes_too_long_is_ended(installed: Stage) -> None:
    installed.declare("slow", hooks={"migrate": ["/bin/sleep", "1000"]}, timeouts={"migrate": 1})

    assert not installed.systemctl("start", "opmas-hook@slow")
    assert "start operation timed out" in installed.logged("opmas-hook@slow")


def test_who_starts_the_agent_waits_for_its_migration(installed: Stage) -> None:
    installed.declare("patient", hooks={"migrate": ["/bin/sleep", "1"]})
    installed.systemctl("start", "--no-block", "opmas-hook@patient")
    wait_for(
        lambda: installed.shown("opmas-hook@patient", "ActiveState") == ["activating"],
        10,
        "the migration",
    )

    assert installed.systemctl("start", "opmas-agent@patient")

    assert installed.shown("opmas-hook@patient", "ActiveState") == ["inactive"]


def test_after_a_failed_migration_the_agent_is_started_as_its_drop_in_says_now(
    installed: Stage,
) -> None:
    installed.declare("undone", command=["./bin/say", "new"], hooks={"migrate": ["/bin/false"]})
    installed.systemctl("start", "opmas-hook@undone")
    installed.declare("undone", command=["./bin/say", "old"])

    assert installed.systemctl("start", "opmas-agent@undone")

    wait_for(lambda: "said old" in installed.logged("opmas-agent@undone"), 10, "the old version")


def test_a_migration_that_nobody_declared_says_so(installed: Stage) -> None:
    assert not installed.systemctl("start", "opmas-hook@nobody")
    assert "agent nobody has no migration" in installed.logged("opmas-hook@nobody")
