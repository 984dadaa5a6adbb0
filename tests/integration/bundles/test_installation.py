"""Bundles installed into a directory of the test, and taken away again."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from opmas.bundles import fitness, staging
from opmas.bundles.build import build_bundle
from opmas.bundles.installation import install, sweep, uninstall, verify_installed
from opmas.bundles.staging import Staging
from opmas.bundles.trust import TrustStore
from opmas.errors import BackendError, BundleError, DiskSpaceError, VersionTakenError
from opmas.packages.receipt import RECEIPT, Trust, read_receipt
from tests.unit.bundles.material import CACHE, KEY, OTHER_KEY, make_bundle, make_place, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM = "#!/bin/sh\nexec sleep 60\n"


def tree(directory: Path) -> dict[str, int]:
    """The paths below the directory with their modes."""
    paths = sorted(directory.rglob("*"))
    return {
        path.relative_to(directory).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in paths
    }


def test_code_goes_to_the_top_and_dependencies_beside_it(tmp_path: Path) -> None:
    script = {"lib.py": "x = 1\n", "lib-1.0.data/scripts/tool": "#!python\n", "lib.dat": "1"}
    make_wheel(tmp_path / "wheels", files=script)
    bundle = make_bundle(tmp_path, requirements=["lib"], files={"web_data/page.html": "<p>"})
    place = make_place(tmp_path)

    installed = install(bundle, place=place)

    assert (installed.name, installed.version, installed.fresh) == ("web", "1.0.0", True)
    assert tree(place.root / "web" / "1.0.0") == {
        ".opmas": 0o755,
        ".opmas/receipt.json": 0o644,
        ".opmas/site": 0o755,
        ".opmas/site/__pycache__": 0o755,
        f".opmas/site/__pycache__/lib.{CACHE}.pyc": 0o644,
        ".opmas/site/lib-1.0.dist-info": 0o755,
        ".opmas/site/lib-1.0.dist-info/METADATA": 0o644,
        ".opmas/site/lib-1.0.dist-info/WHEEL": 0o644,
        ".opmas/site/lib.dat": 0o644,
        ".opmas/site/lib.py": 0o644,
        "__pycache__": 0o755,
        f"__pycache__/web.{CACHE}.pyc": 0o644,
        "agent.yaml": 0o644,
        "web.py": 0o644,
        "web_data": 0o755,
        "web_data/page.html": 0o644,
    }


def test_modes_do_not_come_from_the_umask(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, files={"lib/x.py": ""})
    place = make_place(tmp_path)
    place.root.mkdir()
    before = os.umask(0o077)
    try:
        install(bundle, place=place)
    finally:
        os.umask(before)

    modes = tree(place.root / "web")

    assert {path: mode for path, mode in modes.items() if mode not in {0o755, 0o644}} == {}
    assert stat.S_IMODE((place.root / "web").stat().st_mode) == 0o755


def test_a_program_stays_executable(tmp_path: Path) -> None:
    directory = tmp_path / "src" / "job"
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "run").write_text(PROGRAM)
    (directory / "bin" / "run").chmod(0o700)
    keys = {
        "api": "opmas.agent/v1", "name": "job", "version": "2.0", "summary": "a program",
        "runtime": "exec", "command": ["./bin/run"],
    }  # fmt: skip
    (directory / "agent.yaml").write_text(json.dumps(keys))
    bundle = build_bundle(directory, tmp_path / "out", secret_key=KEY)

    install(bundle, place=make_place(tmp_path))

    found = tmp_path / "packages" / "job" / "2.0" / "bin" / "run"
    assert stat.S_IMODE(found.stat().st_mode) == 0o755


def test_bytecode_is_used_as_it_is_and_knows_its_final_place(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, files={"where.py": "print((lambda: 0).__code__.co_filename)\n"})
    install(bundle, place=make_place(tmp_path))
    directory = tmp_path / "packages" / "web" / "1.0.0"
    (directory / "where.py").write_text("print('the source was read')\n")  # it is not looked at

    said = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = ['{directory}']; import where"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert said == f"{directory}/where.py\n"


def test_a_file_that_does_not_compile_is_left_as_it_is(tmp_path: Path) -> None:
    files = {"lib.py": "", "template.py": "{{ name }} = =\n", "deep.py": "(" * 50_000}
    make_wheel(tmp_path / "wheels", files=files)
    bundle = make_bundle(tmp_path, requirements=["lib"])

    install(bundle, place=make_place(tmp_path))

    site = tmp_path / "packages" / "web" / "1.0.0" / ".opmas" / "site"
    assert (site / "deep.py").exists()
    assert [path.name for path in site.glob("__pycache__/*")] == [f"lib.{CACHE}.pyc"]


def test_the_receipt_tells_where_it_came_from(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    installed = install(bundle, place=make_place(tmp_path), delivered_by="deb:opmas-agent-web")

    receipt = read_receipt(tmp_path / "packages" / "web" / "1.0.0")

    assert receipt is not None
    assert (receipt.trust, receipt.key) == (Trust.KEY, KEY.public.id)
    assert receipt.delivered_by == "deb:opmas-agent-web"
    assert (receipt.digest, receipt.bytes) == (installed.digest, installed.bytes)
    assert set(receipt.files) == {"agent.yaml", "web.py", f"__pycache__/web.{CACHE}.pyc"}


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["unsigned", "unknown key"])
def test_dpkg_vouches_for_what_it_delivers(tmp_path: Path, key: Any) -> None:
    bundle = make_bundle(tmp_path, key=key)

    installed = install(bundle, place=make_place(tmp_path), delivered_by="deb:opmas-agent-web")

    assert (installed.trust, installed.key) == (Trust.DPKG, "")


@pytest.mark.parametrize(
    "conditions", [{"valid_until": "2020-01-01"}, {"packages": ["db"]}], ids=["expired", "other"]
)
def test_dpkg_vouches_beyond_a_keys_conditions(tmp_path: Path, conditions: dict[str, Any]) -> None:
    place = make_place(tmp_path)
    (place.trusted_keys / "tester.yaml").write_text(json.dumps(conditions))

    installed = install(make_bundle(tmp_path), place=place, delivered_by="deb:opmas-agent-web")

    assert installed.trust is Trust.DPKG


def test_dpkg_does_not_vouch_for_a_revoked_key(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    TrustStore(place.trusted_keys).revoke("tester")

    with pytest.raises(BundleError) as caught:
        install(make_bundle(tmp_path), place=place, delivered_by="deb:opmas-agent-web")

    assert caught.value.code == "revoked-key"


def test_an_unsigned_bundle_where_it_is_allowed_is_marked(tmp_path: Path) -> None:
    place = make_place(tmp_path, allow_unsigned=True)

    assert install(make_bundle(tmp_path, key=None), place=place).trust is Trust.UNSIGNED


def test_where_unsigned_is_allowed_a_strange_key_is_not(tmp_path: Path) -> None:
    place = make_place(tmp_path, allow_unsigned=True)

    with pytest.raises(BundleError) as caught:
        install(make_bundle(tmp_path, key=OTHER_KEY), place=place)

    assert caught.value.code == "unknown-key"


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    place = make_place(tmp_path)
    first = install(bundle, place=place)
    before = (place.root / "web" / "1.0.0").stat()

    second = install(bundle, place=place)

    assert (second.fresh, second.digest) == (False, first.digest)
    assert (place.root / "web" / "1.0.0").stat() == before


def test_a_version_is_not_replaced_by_other_content(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    install(make_bundle(tmp_path / "one"), place=place)

    with pytest.raises(VersionTakenError, match="another version"):
        install(make_bundle(tmp_path / "two", files={"more.py": ""}), place=place)


def replaced(top: Path) -> None:
    (top / "web.py").rename(top / "__pycache__" / "web.py.pyc")
    (top / "web.py").symlink_to("__pycache__/web.py.pyc")


SABOTAGE: dict[str, Callable[[Path], object]] = {
    "web.py: was changed": lambda top: (top / "web.py").write_text("class Agent: 1\n"),
    "web.py: is missing": lambda top: (top / "web.py").unlink(),
    "json.py: was not installed": lambda top: (top / "json.py").write_text(""),
    "web.py: cannot be read: too many levels of symbolic links": replaced,
    "lib: was not installed": lambda top: (top / "lib").symlink_to("/tmp"),
    f"{RECEIPT}: is missing": lambda top: (top / RECEIPT).unlink(),
}


@pytest.mark.parametrize("problem", list(SABOTAGE))
def test_a_damaged_version_is_seen_and_replaced(tmp_path: Path, problem: str) -> None:
    bundle = make_bundle(tmp_path)
    place = make_place(tmp_path)
    install(bundle, place=place)
    directory = place.root / "web" / "1.0.0"

    SABOTAGE[problem](directory)

    assert verify_installed(directory) == (problem,)
    assert install(bundle, place=place).fresh
    assert verify_installed(directory) == ()


def test_a_damaged_receipt_is_as_good_as_none(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    place = make_place(tmp_path)
    install(bundle, place=place)
    (place.root / "web" / "1.0.0" / RECEIPT).write_text("{")

    assert install(bundle, place=place).fresh


def test_two_versions_stand_side_by_side_until_each_is_removed(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    for version in ("1.0.0", "1.1.0rc1"):
        install(make_bundle(tmp_path / version, version=version), place=place)

    uninstall(place.root, "web", "1.1.0-RC1")
    assert [path.name for path in (place.root / "web").iterdir()] == ["1.0.0"]

    uninstall(place.root, "web", "1.0.0")
    uninstall(place.root, "web", "1.0.0")
    assert [path.name for path in place.root.iterdir()] == [".staging"]


def test_progress_is_told_step_by_step(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    place = make_place(tmp_path)

    install(make_bundle(tmp_path), place=place, progress=lambda *news: told.append(news))

    assert list(dict.fromkeys(step for step, _, _ in told)) == [
        "verify", "check", "unpack", "compile", "sync",
    ]  # fmt: skip
    assert all(done <= total for _, done, total in told)


def test_too_little_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "SPARE", 2**60)
    place = make_place(tmp_path)

    with pytest.raises(DiskSpaceError, match="MiB are free"):
        install(make_bundle(tmp_path), place=place)

    assert not (place.root / ".staging").exists()


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskSpaceError), (errno.EIO, BackendError)]
)
def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[BackendError]
) -> None:
    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(staging, "_sync_all", fail)
    place = make_place(tmp_path)

    with pytest.raises(error) as caught:
        install(make_bundle(tmp_path), place=place)

    assert type(caught.value) is error
    assert list(place.root.rglob("*")) == [place.root / ".staging"]


def test_what_a_dead_job_left_is_swept_and_a_live_one_is_not(tmp_path: Path) -> None:
    root = tmp_path / "packages"
    live = Staging(root, "web-1.0.0")
    dead = root / ".staging" / "web-0.9.0-dead"
    (dead / "lib").mkdir(parents=True)
    (root / ".staging" / "file").write_text("")

    assert sweep(root) == 2

    assert list((root / ".staging").iterdir()) == [live.directory]
    live.close()
    assert list((root / ".staging").iterdir()) == []


def test_the_next_job_sweeps_by_itself(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    dead = place.root / ".staging" / "web-0.9.0-dead"
    dead.mkdir(parents=True)

    install(make_bundle(tmp_path), place=place)

    assert not dead.exists()


def test_a_bundle_that_is_swapped_while_it_is_read_changes_nothing(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    hostile = tmp_path / "hostile"
    hostile.write_bytes(b"x" * bundle.stat().st_size)
    place = make_place(tmp_path)

    def swap(step: str, _done: int, _total: int) -> None:
        if step == "verify" and hostile.exists():
            hostile.rename(bundle)

    assert install(bundle, place=place, progress=swap).fresh
    assert verify_installed(place.root / "web" / "1.0.0") == ()


def test_a_bundle_that_is_overwritten_after_its_check_changes_nothing(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    place = make_place(tmp_path)

    def overwrite(step: str, _done: int, _total: int) -> None:
        if step == "check":
            bundle.write_bytes(b"x" * bundle.stat().st_size)

    assert install(bundle, place=place, progress=overwrite).fresh
    assert "class Agent" in (place.root / "web" / "1.0.0" / "web.py").read_text()


def test_a_staging_directory_is_locked_while_it_is_filled(tmp_path: Path) -> None:
    stage = Staging(tmp_path, "web")
    handle = os.open(stage.directory, os.O_RDONLY)

    with pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    os.close(handle)
    stage.close()
