"""Which directories hold a package, and which are refused and why."""

from __future__ import annotations

import os

import pytest

from opmas.packages import catalogue
from opmas.packages.collection import Packages
from opmas.packages.deb import Deb, parse_debs

MANIFEST = """
api: opmas.agent/v1
name: {name}
version: 1.0.0
summary: Sleeps
runtime: exec
command: [/bin/sleep, infinity]
"""


def add(root, name: str, folder: str = "") -> None:
    place = root / (folder or name)
    place.mkdir()
    (place / "agent.yaml").write_text(MANIFEST.format(name=name))


def named(found):
    return [(p.name, p) for p in found.packages]


def digest_of_nap(root):
    (found,) = catalogue.scan([str(root)]).packages
    return found.digest


def test_a_directory_with_a_manifest_is_a_package(tmp_path):
    add(tmp_path, "nap")
    (tmp_path / "no-manifest").mkdir()

    found = catalogue.scan([str(tmp_path), str(tmp_path / "not-there")])

    assert {n: p.directory for n, p in named(found)} == {"nap": str(tmp_path / "nap")}
    assert found.refused == ()


def test_the_first_of_two_directories_wins(tmp_path):
    for root in ("one", "two"):
        (tmp_path / root).mkdir()
        add(tmp_path / root, "nap")

    found = catalogue.scan([str(tmp_path / "one"), str(tmp_path / "two")])

    assert Packages(found.packages).all()[0].directory == str(tmp_path / "one/nap")


def test_a_directory_of_another_name_is_refused(tmp_path):
    add(tmp_path, "nap", folder="other")

    [refusal] = catalogue.scan([str(tmp_path)]).refused

    assert refusal.problems == ('name: must be "other" like its directory, not "nap"',)


def test_below_dpkgs_directory_only_configured_packages_count(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "DEB_ROOT", tmp_path)
    names = ("ready", "unpacked", "stray")
    for name in names:
        add(tmp_path, name)
    debs = {
        "opmas-agent-ready": Deb("opmas-agent-ready", "1.0-1", configured=True),
        "opmas-agent-unpacked": Deb("opmas-agent-unpacked", "1.0-1", configured=False),
    }
    monkeypatch.setattr(catalogue, "agent_debs", lambda: debs)

    found = catalogue.scan([str(tmp_path)])

    assert {n: p.deb for n, p in named(found)} == {"ready": "opmas-agent-ready"}
    [refusal] = found.refused
    assert refusal.path == str(tmp_path / "stray/agent.yaml")
    assert "opmas-agent-stray is not installed" in refusal.problems[0]


def test_the_digest_changes_with_the_manifest_and_with_the_debian_version(tmp_path, monkeypatch):
    add(tmp_path, "nap")
    plain = digest_of_nap(tmp_path)
    monkeypatch.setattr(catalogue, "DEB_ROOT", tmp_path)

    digests = {plain}
    for version in ("1.0-1", "1.0-2"):
        deb = Deb("opmas-agent-nap", version, configured=True)
        monkeypatch.setattr(catalogue, "agent_debs", lambda deb=deb: {deb.name: deb})
        digests.add(digest_of_nap(tmp_path))

    assert len(digests) == 3


def test_the_words_of_dpkg_query_are_read():
    text = (
        "opmas-agent-a\t1.0\tii \nopmas-agent-b\t2.0\tiU \nopmas-agent-c\t3\trc \n"
        "opmas-agent-d\t4\thi \nopmas-agent-e\t5\tiHR\n"
    )

    debs = parse_debs(text)

    assert {n: d.configured for n, d in debs.items()} == {
        "opmas-agent-a": True,
        "opmas-agent-b": False,
        "opmas-agent-c": False,
        "opmas-agent-d": True,
        "opmas-agent-e": False,
    }


def test_a_directory_whose_name_is_no_text_is_refused_in_text(tmp_path):
    add(tmp_path, "nap", folder=os.fsdecode(b"b\xffd"))

    [refusal] = catalogue.scan([str(tmp_path)]).refused

    assert refusal.path == str(tmp_path / "b\\xffd/agent.yaml")
    assert "".join(refusal.problems).isascii()


@pytest.mark.parametrize("place", ["", "nap", "nap/agent.yaml"])
@pytest.mark.parametrize(
    ("mode", "owner", "who"),
    [(0o777, 0, "everyone"), (0o770, 0, "group 4711"), (0o700, 4711, "user 4711")],
)
def test_what_a_stranger_may_write_is_no_package(tmp_path, place, mode, owner, who):
    root = tmp_path / "agents"
    root.mkdir(0o755)
    add(root, "nap")
    os.chown(root / place, owner, 4711)
    (root / place).chmod(mode)

    found = catalogue.scan([str(root)])

    assert not found.packages
    assert f"{root / place}".rstrip("/") in found.refused[0].problems[0]
    assert f"{who} may write it" in found.refused[0].problems[0]


def test_a_fifo_in_the_place_of_a_manifest_holds_nobody_up(tmp_path):
    (tmp_path / "nap").mkdir()
    os.mkfifo(tmp_path / "nap/agent.yaml")

    [refusal] = catalogue.scan([str(tmp_path)]).refused

    assert "not a regular file" in refusal.problems[0]
