from opmas.cli.packages import render_package, render_packages, render_scan
from opmas.cli.text import COLOURED
from tests.unit.cli.builders import package, version, view


def test_packages_are_listed_with_their_agents_and_needs():
    document = {
        "packages": [
            package("hostwatch", "proc=host", agents=["a", "b", "c", "d"]),
            package("probe", state="missing", summary="probes"),
        ]
    }

    lines = render_packages(document, view()).split("\n")

    assert lines == [
        "PACKAGE    VERSION  TRUST  STATE    AGENTS    NEEDS      SUMMARY",
        "hostwatch  1.0.0    dpkg   ready    4 agents  proc=host  watches the host",
        "probe      1.0.0    dpkg   missing  -         -          probes",
    ]


def test_what_nobody_vouches_for_stands_out_wherever_it_is():
    unsigned = [version("1.0.0"), version("1.1.0", source="bundle", trust="unsigned")]
    found = package(version="1.1.0", versions=unsigned, held=True)

    table = render_packages({"packages": [found]}, view(palette=COLOURED))
    whole = render_package(found, view(palette=COLOURED))

    assert "1.1.0 (+1)" in table
    assert "\x1b[33munsigned\x1b[0m" in table
    assert "\x1b[33munsigned\x1b[0m, not used" in whole
    assert "ready, held" in whole


def test_versions_say_who_vouches_who_runs_them_and_which_were_undone():
    signed = version(
        "2.0.0",
        trust="key",
        key="AB12",
        delivered_by="deb:opmas-agent-web",
        bad_until="2026-02-01T18:00:00Z",
    )
    found = package(versions=[version(agents=["web", "db"]), signed])

    text = render_package(found, view())

    assert "1.0.0  dpkg, for web, db" in text
    assert "2.0.0  key AB12, from deb:opmas-agent-web, not used, was undone, not tried" in text


def test_no_packages_says_how_to_get_one():
    assert "apt install" in render_packages({"packages": []}, view())


def test_a_package_is_shown_with_the_explanations_of_its_needs_and_its_defaults():
    manifest = {"defaults": {"interval": 10}}
    document = package("hostwatch", "network=observe", manifest=manifest)

    text = render_package(document, view())

    assert text.startswith("hostwatch 1.0.0: ready\n  watches the host\n")
    assert "network=observe  it opens network=observe" in text
    assert '"interval": 10' in text
    assert "opmas-agent-hostwatch, /usr/lib/opmas/agents/hostwatch" in text


def test_a_package_that_needs_nothing_says_so():
    assert "nothing beyond the sandbox" in render_package(package(), view())


def test_a_scan_names_what_changed_and_every_problem_of_what_it_refused():
    document = {
        "added": ["probe"],
        "changed": [],
        "removed": ["old"],
        "refused": [{"path": "/x/agent.yaml", "problems": ["name: missing", "entry: \x1b[2J"]}],
    }

    text = render_scan(document, view())

    assert text.split("\n") == [
        "added probe",
        "removed old",
        "refused /x/agent.yaml",
        "  name: missing",
        "  entry: \\x1b[2J",
    ]


def test_a_scan_without_news_says_so():
    kinds: tuple[str, ...] = ("added", "changed", "removed", "refused")

    assert render_scan({kind: [] for kind in kinds}, view()) == "nothing changed"
