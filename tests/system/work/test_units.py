"""The worker's units: how far they can reach, what they cost, and whom they outlive."""

import json
import re
from pathlib import Path

import pytest

from opmas.bundles.build import build_bundle
from opmas.bundles.trust import TrustStore
from tests.lab import Host, wait_for
from tests.system.apt_repository import Repository, Sample
from tests.system.install import build
from tests.system.work.conftest import STOPS
from tests.system.work.jobs import JOBS, done, put_job, result_of, run_job
from tests.unit.bundles.material import KEY, make_package, make_wheel

NEXT = "99.0"
PROCESSOR_LIMIT = 1.5  # seconds of both processors; 0.5 s of time, on a host with nothing else
MEMORY_LIMIT = 40.0  # MiB
MODULE = "\n".join(f"def f{n}(a, b=1):\n    return [a, b, 'text {n}', {{}}]\n" for n in range(60))
TIME = """
import subprocess, sys, time
begin = time.monotonic()
subprocess.run(["systemctl", "start", sys.argv[1]], check=True)
print(time.monotonic() - begin)
"""
# The highest resident memory of the worker or a compiler that it starts; time of processors.
WEIGH = """
import json, resource, subprocess, sys
subprocess.run(["/usr/lib/opmas/opmas-package", sys.argv[2]], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
found = {"mebibytes": used.ru_maxrss / 1024, "seconds": used.ru_utime + used.ru_stime}
open(sys.argv[1], "w").write(json.dumps(found))
"""
REACH = r"""
import json, os, socket, sys
def tried(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return error.errno
    return 0
def write(path):
    open(path + "/opmas-reach", "w").close(); os.unlink(path + "/opmas-reach")
found = {
    "writes": [p for p in sys.argv[2:] if not tried(write, p)],
    "inet": tried(socket.socket, socket.AF_INET),
    "module": tried(os.mknod, "/tmp/node", 0o60600, os.makedev(8, 0)),
    "capabilities": [l.split()[1] for l in open("/proc/self/status") if l.startswith("CapBnd")][0],
}
open(sys.argv[1], "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def host(work_host: Host) -> Host:
    return work_host


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 4 wheels and 1 MB of Python, as large as the ones that are common."""
    folder = tmp_path_factory.mktemp("bundle")
    names = ("alpha", "beta", "gamma")
    for name in names:
        modules = {f"{name}/m{n}.py": f"# {name} {n}\n{MODULE}" for n in range(60)}
        make_wheel(folder / "wheels", name, files={f"{name}/__init__.py": "", **modules})
    package = make_package(folder, requirements=[f"{name}>=1" for name in names])
    return build_bundle(package, folder, secret_key=KEY, wheels=folder / "wheels")


@pytest.fixture(scope="module")
def trusting_host(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The host, which trusts the key of the bundles."""
    keys = tmp_path_factory.mktemp("keys")
    TrustStore(keys).add(KEY.public, "tests")
    host.copy_in(keys, "/etc/opmas/trusted-keys.d")
    return host


def measured(host: Host, bundle: Path, job: str) -> dict[str, float]:
    """What an installation by its unit takes: seconds from its start, MiB of the worker."""
    host.copy_in(bundle, "/root/web.opmas")
    unit = put_job(host, job, "install", path="/root/web.opmas")
    drop_in = f"/etc/systemd/system/{unit}.d/x.conf"
    command = f"/usr/bin/python3 /opt/weigh.py /var/lib/opmas/weight.json {job}"
    put(host, "/opt/weigh.py", WEIGH)
    put(host, drop_in, f"[Service]\nExecStart=\nExecStart={command}\n")
    host.run("systemctl", "start", unit)
    outcome = result_of(host, job)
    assert outcome["ok"], outcome
    weight: dict[str, float] = json.loads(host.run("cat", "/var/lib/opmas/weight.json").stdout)
    host.run("rm", "-r", str(Path(drop_in).parent))
    return weight


def timed(host: Host, job: str) -> float:
    """How many seconds the removed version's installation takes again, unit and all."""
    done(host, f"{job}-1", "uninstall", name="web", version="1.0.0")
    unit = put_job(host, f"{job}-2", "install", path="/root/web.opmas")
    found = json.loads(host.run("python3", "-c", TIME, unit).stdout)
    assert result_of(host, f"{job}-2")["result"]["fresh"]
    return float(found)


def test_a_bundle_is_installed_by_little_and_quickly(trusting_host: Host, bundle: Path) -> None:
    weight = measured(trusting_host, bundle, "3000-1")
    seconds = min(timed(trusting_host, str(number)) for number in range(3001, 3004))

    print(f"a bundle of 4 wheels: {seconds:.2f} s, and {weight}")
    assert weight["mebibytes"] <= MEMORY_LIMIT
    assert weight["seconds"] <= PROCESSOR_LIMIT


def test_an_installed_bundle_is_compiled_and_can_be_rehearsed(
    trusting_host: Host, bundle: Path
) -> None:
    trusting_host.copy_in(bundle, "/root/web.opmas")
    done(trusting_host, "3010-1", "install", path="/root/web.opmas", name="web")
    version = "/var/lib/opmas/packages/web/1.0.0"

    compiled = trusting_host.run("sh", "-c", f"find {version} -name '*.pyc' | wc -l").stdout
    outcome = done(
        trusting_host, "3010-2", "rehearse", agent="web", directory=version, runtime="python",
        entry="web:Agent", command=[], python="/usr/bin/python3", unit="opmas-agent@web.service",
    )  # fmt: skip

    assert int(compiled) == 3 * 61 + 1
    assert outcome == {}


def test_a_version_that_was_changed_fails_its_rehearsal(trusting_host: Host, bundle: Path) -> None:
    trusting_host.copy_in(bundle, "/root/web.opmas")
    done(trusting_host, "3020-1", "install", path="/root/web.opmas", name="web")
    version = "/var/lib/opmas/packages/web/1.0.0"
    trusting_host.run("sh", "-c", f"echo >> {version}/web.py; rm {version}/.opmas/site/beta/m7.py")

    outcome = run_job(
        trusting_host, "3020-2", "rehearse", agent="web", directory=version, runtime="python",
        entry="web:Agent", command=[], python="/usr/bin/python3", unit="opmas-agent@web.service",
    )  # fmt: skip

    done(trusting_host, "3020-3", "uninstall", name="web", version="1.0.0")
    assert sorted(problem.partition(":")[0] for problem in outcome["problems"]) == [
        ".opmas/site/beta/m7.py",
        "web.py",
    ]


def test_the_sandbox_of_the_package_unit_is_tight(host: Host) -> None:
    unit = "opmas-package@1-1.service"

    said = host.run("systemd-analyze", "security", "--no-pager", unit).stdout

    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= 2.0


def test_the_package_unit_writes_where_its_work_is_and_nowhere_else(host: Host) -> None:
    # not /run: with a /proc of the unit's own systemd leaves it writable on a lab host
    places = ["/etc", "/usr", "/var/lib", "/var/lib/dpkg", "/root", "/home", "/boot"]
    own = ["/var/lib/opmas", "/var/lib/private", "/tmp"]
    put(host, "/opt/reach.py", REACH)
    drop_in = "/etc/systemd/system/opmas-package@9-9.service.d/x.conf"
    reach = "/var/lib/opmas/reach.json"
    command = f"/usr/bin/python3 /opt/reach.py {reach} {' '.join(places + own)}"
    put(host, drop_in, f"[Service]\nExecStart=\nExecStart={command}\n")

    host.run("systemctl", "start", "opmas-package@9-9.service")

    found = json.loads(host.run("cat", reach).stdout)
    host.run("rm", "-r", str(Path(drop_in).parent), reach)
    assert found == {
        "writes": own,
        "inet": 97,
        "module": 1,
        "capabilities": "000000000000001b",
    }


@pytest.mark.parametrize("kind", ["opmas-package", "opmas-apt"])
def test_no_unit_is_left_over(host: Host, kind: str) -> None:
    said = host.run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", f"{kind}@*"
    ).stdout

    assert said == ""


def test_a_job_outlives_its_manager(host: Host, repository: Repository) -> None:
    repository.add(Sample("opmas-agent-slow", "1.0", scripts={"postinst": STOPS}))
    repository.publish(host)
    done(host, "3100-1", "apt-refresh")
    unit = put_job(host, "3100-2", "apt-install", deb="opmas-agent-slow")
    host.run("systemctl", "start", "--no-block", unit)
    wait_for(lambda: is_there(host, "/run/reached"), 20, "the script of the package runs")

    host.run("systemctl", "kill", "--signal=KILL", "opmas-manager.service")
    host.run("systemctl", "restart", "opmas-manager.service")
    host.run("touch", "/run/go")
    wait_for(lambda: is_there(host, f"{JOBS}/3100-2/result.json"), 20, "the job is over")

    host.run("rm", "/run/go", "/run/reached")
    assert result_of(host, "3100-2")["ok"]


def test_an_agent_that_needs_a_newer_opmas_brings_it(
    host: Host, repository: Repository, tmp_path: Path
) -> None:
    build("--version", NEXT, "--output", str(tmp_path))
    for deb in tmp_path.glob("*.deb"):
        repository.add_file(deb)
    needs = {"Depends": f"opmas-manager (>= {NEXT})"}
    repository.add(Sample("opmas-agent-newer", "1.0", control=needs))
    repository.publish(host)
    done(host, "3200-1", "apt-refresh")
    before = pid_of(host, "opmas-manager.service")

    result = done(host, "3200-2", "apt-install", deb="opmas-agent-newer")

    versions = host.run("dpkg-query", "-Wf", "${Version} ${db:Status-Abbrev}\n", "opmas-manager",
                        "opmas-agent-newer").stdout  # fmt: skip
    assert versions.splitlines() == ["1.0 ii ", f"{NEXT} ii "]
    assert result["audit"] == []
    assert pid_of(host, "opmas-manager.service") not in {"0", before}


def pid_of(host: Host, unit: str) -> str:
    return host.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()


def is_there(host: Host, path: str) -> bool:
    return host.run("test", "-e", path, check=False).returncode == 0


def put(host: Host, path: str, text: str) -> None:
    host.run("install", "-D", "-m", "644", "/dev/stdin", path, input=text)
