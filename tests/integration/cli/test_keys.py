"""Keys and bundles, as an author makes them and a host sees them; no manager runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MANIFEST = """
api: opmas.agent/v1
name: nap
version: 1.0.0
summary: Sleeps
runtime: exec
command: [./nap]
"""


@pytest.fixture
def environ(environ, tmp_path):
    """The environment of an author whose host trusts nobody yet."""
    return {
        **environ,
        "HOME": str(tmp_path / "home"),
        "OPMAS_PACKAGES_TRUSTED_KEYS": str(tmp_path / "trusted"),
    }


@pytest.fixture
def key(tmp_path):
    """The secret key of the author, when it was made."""
    return tmp_path / "home/.config/opmas/keys/default.key"


@pytest.fixture
def nap(tmp_path):
    """The directory of a package."""
    folder = tmp_path / "nap"
    folder.mkdir()
    (folder / "agent.yaml").write_text(MANIFEST)
    program = folder / "nap"
    program.write_text("#!/bin/sh\nexec sleep infinity\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def bundle(opmas, nap, tmp_path):
    """A signed bundle of the package."""
    opmas("key", "new")
    return opmas("bundle", "build", str(nap), "--output", str(tmp_path)).stdout.strip()


def test_a_key_is_its_owners_alone_and_never_printed(opmas, key):
    done = opmas("key", "new")

    secret = key.read_text().split("\n")[1]
    assert done.returncode == 0
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert secret not in done.stdout + done.stderr
    assert key.with_suffix(".pub").is_file()


def test_a_key_is_never_overwritten(opmas, key):
    opmas("key", "new")
    first = key.read_bytes()

    done = opmas("key", "new")

    assert done.returncode == 6
    assert "exists already" in done.stderr
    assert key.read_bytes() == first


def test_a_link_in_the_place_of_the_public_key_leads_nowhere(opmas, tmp_path):
    (tmp_path / "new.pub").symlink_to(tmp_path / "elsewhere")

    done = opmas("key", "new", "--output", str(tmp_path / "new.key"))

    assert done.returncode == 6
    assert not (tmp_path / "elsewhere").exists()


def test_a_password_comes_from_a_file_or_standard_input(opmas, nap, tmp_path):
    (tmp_path / "password").write_text("moon\n")
    path = str(tmp_path / "release.key")

    made = opmas("key", "new", "--output", path, "--password-file", str(tmp_path / "password"))
    build = ("bundle", "build", str(nap), "--output", str(tmp_path), "--key", path)
    without = opmas(*build)
    wrong = opmas(*build, "--password-file", "-", typed="sun\n")
    right = opmas(*build, "--password-file", "-", typed="moon\n")

    assert made.returncode == 0
    assert [without.returncode, wrong.returncode, right.returncode] == [6, 6, 0]
    assert "--password-file FILE" in without.stderr


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(terminal, nap, tmp_path):
    path = str(tmp_path / "release.key")
    answers = [("new key: ", "moon\n"), ("again: ", "moon\n")]

    made, shown = terminal("key", "new", "--output", path, "--password", answers=answers)
    build = ("bundle", "build", str(nap), "--output", str(tmp_path), "--key", path)
    built, _ = terminal(*build, answers=[("release.key: ", "moon\n")])

    assert (made, built) == (0, 0)
    assert "moon" not in shown


def test_passwords_that_differ_make_no_key(terminal, opmas, tmp_path):
    path = tmp_path / "release.key"
    answers = [("new key: ", "moon\n"), ("again: ", "sun\n")]

    code, shown = terminal("key", "new", "--output", str(path), "--password", answers=answers)

    assert code == 2
    assert "the passwords differ" in shown
    assert not path.exists()
    assert opmas("key", "new", "--password").returncode == 2


def test_a_trusted_key_verifies_until_it_is_revoked(opmas, key, bundle):
    before = opmas("bundle", "verify", bundle)
    trusted = opmas("key", "trust", str(key.with_suffix(".pub")), "--name", "acme")
    verified = opmas("bundle", "verify", bundle)
    revoked = opmas("key", "revoke", "acme", "--reason", "laptop stolen")
    after = opmas("bundle", "verify", bundle, "--json")

    assert before.returncode == 6
    assert trusted.stdout.endswith("is trusted for all packages\n")
    assert (verified.returncode, verified.stdout[:25]) == (0, "nap 1.0.0: signed by acme")
    assert revoked.stdout.startswith("revoked acme (")
    assert (after.returncode, json.loads(after.stderr)["code"]) == (6, "revoked-key")


def test_keys_are_listed_with_their_conditions(opmas, key):
    opmas("key", "new")
    public = str(key.with_suffix(".pub"))
    conditions = ("--package", "nap-*", "--package", "web", "--valid-until", "2020-01-31")

    opmas("key", "trust", public, "--name", "old", *conditions)
    shown = opmas("key", "list").stdout.split("\n")[1]

    assert "expired" in shown
    assert "nap-*, web" in shown
    assert "2020-01-31" in shown


def test_whom_a_host_trusts_is_said_by_root_alone(opmas, environ, key, tmp_path):
    opmas("key", "new")
    public = key.with_suffix(".pub")
    (tmp_path / "trusted").mkdir(mode=0o755)

    # imported as root: another user may not be able to read the tree that is tested
    script = (
        "import os, sys; from opmas.cli import failure, keys, main;"
        " from opmas.bundles import minisign, trust; os.chdir(sys.argv[1]);"
        ' os.setuid(65534); sys.exit(main.main(["key", "trust", "default.pub"]))'
    )
    argv = [sys.executable, "-c", script, str(public.parent)]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (5, "")
    assert "run it as root" in done.stderr


def test_check_names_everything_that_is_wrong(opmas, nap):
    fine = opmas("bundle", "check", str(nap))
    (nap / "agent.yaml").write_text(MANIFEST.replace("runtime: exec", "runtime: exce") + "x: 1\n")
    wrong = opmas("bundle", "check", str(nap))

    assert fine.returncode == 0
    assert wrong.returncode == 1
    assert "runtime" in wrong.stdout
    assert "x: unknown key" in wrong.stdout


def test_what_cannot_be_signed_says_how(opmas, nap, tmp_path):
    output = ("--output", str(tmp_path / "out"))

    without = opmas("bundle", "build", str(nap), *output)
    both = opmas("bundle", "build", str(nap), "--unsigned", "--key", "x.key", *output)
    unsigned = opmas("bundle", "build", str(nap), "--unsigned", *output)
    verified = opmas("bundle", "verify", unsigned.stdout.strip(), "--json")

    assert (without.returncode, both.returncode, unsigned.returncode) == (6, 2, 0)
    assert "`opmas key new` makes one; --unsigned builds without" in without.stderr
    assert json.loads(verified.stderr)["code"] == "unsigned-bundle"


def test_a_bundle_is_inspected_also_when_it_is_not_trusted(opmas, bundle):
    shown = opmas("bundle", "inspect", bundle)
    damaged = Path(bundle)
    damaged.write_bytes(damaged.read_bytes().replace(b"sleeps", b"SLEEPS").replace(b"PK", b"pk"))

    assert shown.returncode == 0
    assert "cannot trust key" in shown.stdout
    assert "agent.yaml" in shown.stdout
    assert opmas("bundle", "inspect", bundle).returncode == 6


@pytest.mark.parametrize("kind", ["bundle", "directory"])
def test_a_debian_package_is_built_from_either(opmas, nap, bundle, tmp_path, kind):
    source = {"bundle": bundle, "directory": str(nap)}[kind]

    done = opmas("bundle", "deb", source, "--output", str(tmp_path / "debs"))

    path = Path(done.stdout.strip())
    listed = subprocess.run(
        ["dpkg-deb", "--contents", path], capture_output=True, text=True, check=True
    )
    assert path.name == "opmas-agent-nap_1.0.0_all.deb"
    assert "./usr/share/opmas/bundles/nap-1.0.0.opmas" in listed.stdout


@pytest.mark.parametrize("verb", ["inspect", "verify", "deb"])
def test_a_file_that_is_not_there_is_named(opmas, verb):
    done = opmas("bundle", verb, "none.opmas")

    assert (done.returncode, done.stderr) == (
        6,
        "opmas: cannot read none.opmas: there is no such file\n",
    )
