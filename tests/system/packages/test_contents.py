"""What is in the packages, looked at from outside."""

import subprocess
from pathlib import Path

import pytest

from opmas.version import VERSION
from tests.lab import Host
from tests.system.install import NAMES, OPTIONAL

ROOT = Path(__file__).resolve().parents[3]


def output(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def files_of(deb: Path) -> set[str]:
    rows = output("dpkg-deb", "--contents", deb).splitlines()
    return {row.split(None, 5)[5].removeprefix(".") for row in rows if row[0] == "-"}


def deb_of(debs: Path, name: str) -> Path:
    (found,) = debs.glob(f"{name}_*.deb")
    return found


def test_dist_has_the_packages_of_this_version_and_no_other(debs: Path) -> None:
    found = sorted(path.name for path in debs.glob("*.deb"))

    assert found == sorted(f"{name}_{VERSION}_all.deb" for name in (*NAMES, *OPTIONAL))


def test_lintian_has_no_complaint(debs: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--tag-display-limit=0", *debs.glob("*.deb")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ""
    assert done.returncode == 0


def test_every_module_of_the_program_is_in_one_package(debs: Path) -> None:
    tree = f"/usr/lib/opmas/{VERSION}"
    public = "/usr/lib/python3/dist-packages"
    shipped = [file for deb in debs.glob("*.deb") for file in files_of(deb)]
    sources = output(
        "git", "-C", ROOT, "ls-files", "opmas/*.py", "opmas/*.sql", "opmas/*.yaml"
    ).split()

    at = {
        source: sum(file in {f"{tree}/{source}", f"{public}/{source}"} for file in shipped)
        for source in sources
        if not source.startswith("opmas/agents/")
    }

    assert {source for source, count in at.items() if count == 0} == set()
    assert {source for source, count in at.items() if count > 1} == {
        "opmas/__init__.py",
        "opmas/version.py",
    }


def test_the_manager_brings_the_pages_of_its_manual(debs: Path) -> None:
    files = files_of(deb_of(debs, "opmas-manager"))

    pages = {"man1/opmas.1", "man8/opmas-manager.8", "man5/agent.yaml.5", "man5/opmas.yaml.5"}
    assert {f"/usr/share/man/{page}.gz" for page in pages} <= files


def test_the_manager_brings_what_installs_packages(debs: Path) -> None:
    files = files_of(deb_of(debs, "opmas-manager"))

    units = {f"/lib/systemd/system/opmas-{name}@.service" for name in ("package", "apt", "hook")}
    assert {"/usr/lib/opmas/opmas-package", "/usr/share/opmas/agent.schema.json", *units} <= files


def test_what_apt_installed_has_the_modes_that_its_secrets_need(shared_host: Host) -> None:
    modes = {
        "/etc/opmas/trusted-keys.d": "755",  # anyone may see who is trusted
        "/usr/share/opmas/bundles": "755",
        "/var/lib/opmas": "700",
        "/var/lib/opmas/bundles": "755",
        "/var/cache/opmas": "700",
    }

    found = shared_host.run("stat", "-c", "%n %a %U:%G", *modes).stdout.splitlines()

    assert found == [f"{path} {mode} root:root" for path, mode in modes.items()]


@pytest.mark.parametrize("deb", ["opmas-agent-hostwatch", "opmas-agent-node-exporter"])
def test_every_file_of_an_agent_is_root_owned_and_read_only_for_others(
    debs: Path, deb: str
) -> None:
    rows = output("dpkg-deb", "--contents", deb_of(debs, deb)).splitlines()

    assert [row for row in rows if row[8] == "w" or row[5] == "w" or "root/root" not in row] == []


def test_the_sdk_works_from_its_package_alone(debs: Path, tmp_path: Path) -> None:
    output("dpkg-deb", "--extract", deb_of(debs, "python3-opmas-agent"), tmp_path)
    sdk = ROOT / "opmas" / "agent"
    # the part for authors' tests needs pytest, which agents on a host do not
    modules = sorted({*sdk.rglob("*.py")} - {*(sdk / "testing").rglob("*.py")})
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules]
    code = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path / "usr/lib/python3/dist-packages")!r})
for name in {[name for name in names if not name.endswith("__main__")]!r}:
    importlib.import_module(name)
"""

    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", code], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""


def test_an_author_tests_a_new_agent_with_debians_pytest(shared_host: Host) -> None:
    shared_host.run("opmas", "agent", "new", "fresh", "--directory", "/root")

    done = shared_host.run("sh", "-c", "cd /root/fresh && python3 -m pytest -q", check=False)

    shared_host.run("rm", "-r", "/root/fresh")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["hostwatch", "node-exporter"])
def test_an_agent_package_has_only_its_directory(debs: Path, name: str) -> None:
    files = files_of(deb_of(debs, f"opmas-agent-{name}"))

    outside = {file for file in files if not file.startswith(f"/usr/lib/opmas/agents/{name}/")}
    kinds = ("/usr/share/doc/", "/usr/share/python3/", "/usr/lib/sysusers.d/")
    assert [file for file in outside if not file.startswith(kinds)] == []


def test_a_build_that_is_fresh_is_reused(debs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in debs.glob("*.deb")}

    text = output(ROOT / "packaging/build", "--reuse")

    assert "fresh" in text
    assert {path: path.stat().st_mtime_ns for path in debs.glob("*.deb")} == before


def test_systemd_finds_nothing_to_say_about_the_units(shared_host: Host) -> None:
    units = shared_host.run("sh", "-c", "ls /lib/systemd/system/opmas*").stdout.split()
    instances = [unit.replace("@.", "@x.") for unit in units]

    done = shared_host.run("systemd-analyze", "verify", "--recursive-errors=no", *instances)

    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("opmas-manager.service", 20),
        ("opmas-api.service", 15),
        ("opmas-agent@x.service", 15),
        ("opmas-hook@x.service", 5),
        ("opmas-package@x.service", 17),
        ("opmas-rescue.service", 10),
    ],
)
def test_the_sandboxes_are_tight(shared_host: Host, unit: str, most: int) -> None:
    done = shared_host.run("systemd-analyze", "security", f"--threshold={most}", unit, check=False)

    assert done.returncode == 0, done.stdout
