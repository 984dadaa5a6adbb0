"""Packages: installed, moved from version to version, held, removed."""

import pytest


def test_install_by_name_takes_the_newest(opmas, manager):
    done = opmas("package", "install", "demo")

    assert (done.returncode, done.stdout) == (0, "demo: installed 1.0.0 -> 1.1.0 (change 1)\n")
    assert "1.1.0 (+1)" in opmas("package", "list").stdout
    assert "1.1.0  key 0123456789ABCDEF, not used" in opmas("package", "show", "demo").stdout


@pytest.mark.parametrize("name", ["probe-0.5.0.opmas", "opmas-agent-probe_0.5.0_all.deb"])
def test_install_of_a_file_gives_its_absolute_path(opmas, manager, tmp_path, name):
    (tmp_path / name).touch()

    done = opmas("package", "install", f"{tmp_path}/./{name}")

    assert (done.returncode, done.stdout) == (0, "probe: installed 0.5.0 (change 1)\n")
    asked = next(params for method, params in manager.calls if method == "package.install")
    assert asked["file"] == f"{tmp_path}/{name}"


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("./none.opmas", 6, "there is no such file"),
        ("none.deb", 6, "there is no such file"),
        ("demo=", 2, "write NAME, NAME=VERSION or the path of a file"),
        ("demoo", 3, 'did you mean "demo"?'),
        ("demo=9.9", 3, "cannot find version 9.9"),
    ],
)
def test_what_cannot_be_installed_is_named(opmas, manager, what, code, said):
    done = opmas("package", "install", what)

    assert done.returncode == code
    assert said in done.stderr


def test_installing_what_nobody_vouches_for_warns(opmas, manager):
    opmas("package", "install", "demo")
    manager.host.packages["demo"]["versions"][-1]["trust"] = "unsigned"

    done = opmas("package", "install", "demo=1.1.0")

    assert done.returncode == 0
    assert "opmas: demo 1.1.0 is unsigned: nobody vouches for it" in done.stderr


def test_update_moves_every_agent_of_the_package(opmas, manager, web):
    manager.host.agent_put("db", "demo")

    done = opmas("package", "update", "demo")

    assert done.returncode == 0
    assert done.stdout == (
        "db: updated 1.0.0 -> 1.1.0 (change 3)\nweb: updated 1.0.0 -> 1.1.0 (change 4)\n"
    )
    assert opmas("package", "update", "demo").stdout.startswith("nothing to do")


def test_update_is_1_when_one_agent_was_undone(opmas, manager, web):
    manager.host.agent_put("db", "demo")
    manager.host.ledger.doom("agent/db", "crashed", "it exits at once")

    done = opmas("package", "update", "demo")

    assert done.returncode == 1
    assert "db: update reverted: it exits at once" in done.stdout
    assert "web: updated 1.0.0 -> 1.1.0" in done.stdout


def test_rollback_goes_back_and_no_wait_names_the_changes(opmas, manager, web):
    opmas("package", "update", "demo")

    done = opmas("package", "rollback", "demo", "--no-wait")

    assert done.stdout == "change 3: rollback web 1.1.0 -> 1.0.0, `opmas change wait 3`\n"


def test_window_reaches_the_manager_within_bounds(opmas, manager, web):
    refused = opmas("package", "update", "demo", "--window", "601")
    opmas("package", "update", "demo", "--window", "5")

    assert refused.returncode == 2
    assert manager.host.ledger.get(2)["window"] == 5


def test_what_an_agent_needs_is_not_removed(opmas, manager, web):
    refused = opmas("package", "remove", "demo")
    done = opmas("package", "remove", "hostwatch")

    assert refused.returncode == 6
    assert 'agent "web" needs it' in refused.stderr
    assert (done.returncode, done.stdout) == (0, "hostwatch: removed 1.0.0 (change 2)\n")


def test_hold_and_unhold(opmas, manager):
    held = opmas("package", "hold", "demo")
    free = opmas("package", "unhold", "demo")

    assert (held.stdout, free.stdout) == ("demo 1.0.0: ready, held\n", "demo 1.0.0: ready\n")
    assert opmas("package", "hold", "demoo").returncode == 3
