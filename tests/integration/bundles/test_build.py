"""Bundles and Debian packages as their authors build them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from opmas.bundles.build import build_bundle, check_directory
from opmas.bundles.inspect import inspect_bundle
from opmas.bundles.installation import install
from opmas.bundles.manifest import MANIFEST
from opmas.bundles.transport import build_deb
from opmas.bundles.trust import TrustStore
from opmas.errors import BadSignatureError, InvalidError, OpmasError, UnmetRequirementError
from tests.unit.bundles.material import (
    CP,
    KEY,
    OTHER_KEY,
    make_bundle,
    make_package,
    make_place,
    make_wheel,
    members_of,
    pack,
)

if TYPE_CHECKING:
    from pathlib import Path


def build(directory: Path, output: Path, **more: Any) -> bytes:
    return build_bundle(directory, output, secret_key=KEY, **more).read_bytes()


def test_the_same_files_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"b/x.py": "", "a/y.py": "", "z.txt": "z"}
    one = make_package(tmp_path / "one", files=files, requirements=["lib"])
    make_wheel(one / "wheels")
    first = build(one, tmp_path / "out1")

    before = os.umask(0o077)
    try:
        other = make_package(
            tmp_path / "two", files=dict(reversed(files.items())), requirements=["lib"]
        )
        (other / "wheels").mkdir()
        for wheel in (one / "wheels").iterdir():
            (other / "wheels" / wheel.name).write_bytes(wheel.read_bytes())
        for path in other.rglob("*"):
            os.utime(path, (10**9, 10**9))
        monkeypatch.setenv("LC_ALL", "C")
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        second = build(other, tmp_path / "out2")
    finally:
        os.umask(before)

    assert first == second
    assert stat.S_IMODE((tmp_path / "out2" / "web-1.0.0.opmas").stat().st_mode) == 0o644


def test_the_date_of_the_source_is_in_the_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    bundle = make_bundle(tmp_path)

    assert b"timestamp:1700000000\tfile:manifest.json\thashed" in bundle.read_bytes()


def test_what_stays_with_the_author_is_not_in_the_bundle(tmp_path: Path) -> None:
    kept = ["README.md", "lib/tests/data.txt", ".hidden", "lib/dist/x"]
    left = [
        "tests/test_web.py", "wheels/README", "dist/x", ".git/config", "lib/__pycache__/x.pyc",
        "old.opmas", "old.deb", ".pytest_cache/x", ".venv/x", "lib/x.pyc", "x~",
    ]  # fmt: skip
    directory = make_package(tmp_path, files=dict.fromkeys(kept + left, ""))
    bundle = build_bundle(directory, directory / "dist", secret_key=None)

    installed = install(bundle, place=make_place(tmp_path, allow_unsigned=True))

    top = tmp_path / "packages" / installed.name / installed.version
    found = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    there = {path for path in found if "__pycache__" not in path and ".opmas" not in path}
    assert there == {"agent.yaml", "web.py", *kept}


def test_building_twice_over_the_old_result_is_the_same(tmp_path: Path) -> None:
    directory = make_package(tmp_path)

    assert build(directory, directory) == build(directory, directory)
    assert [path.name for path in directory.glob("*.opmas")] == ["web-1.0.0.opmas"]


def test_a_version_is_spelled_in_its_normal_form(tmp_path: Path) -> None:
    assert make_bundle(tmp_path, version="1.0-RC1").name == "web-1.0rc1.opmas"


SPOILED: dict[str, Any] = {
    "agent.yaml: summary: is missing": {"summary": None},
    "agent.yaml: entry: no module wep in the package": {"entry": "wep:Agent"},
    "agent.yaml: config.defaults.port": {
        "config": {
            "schema": {"properties": {"port": {"type": "integer"}}},
            "defaults": {"port": "x"},
        }
    },
    "agent.yaml: hooks.check[0]: no file ./check in the package": {
        "hooks": {"check": ["./check"]}
    },
    "bad.py: line 1: invalid syntax": {"files": {"bad.py": "x = = 1\n"}},
    "my.key: is a secret key": {"files": {"my.key": KEY.render()}},
    "agent.yaml: .opmas: is a name that OPMAS needs for itself": {"files": {".opmas/x": ""}},
}


@pytest.mark.parametrize("problem", list(SPOILED))
def test_a_check_names_what_is_wrong_and_a_build_refuses_it(tmp_path: Path, problem: str) -> None:
    directory = make_package(tmp_path, **SPOILED[problem])

    problems = check_directory(directory)

    assert len(problems) == 1
    assert problems[0].startswith(problem)
    with pytest.raises(InvalidError):
        build(directory, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    directory = make_package(tmp_path)
    (directory / "passwd").symlink_to("/etc/passwd")

    assert check_directory(directory) == ("passwd: is a link, and a bundle holds files only",)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    files = {"bad.py": "x = = 1\n", "my.key": KEY.render()}
    directory = make_package(tmp_path, files=files, entry="gone:Agent")

    assert len(check_directory(directory)) == 3


def test_a_program_must_be_executable(tmp_path: Path) -> None:
    directory = make_package(tmp_path, files={"run": "#!/bin/sh\n"})
    document = json.loads((directory / "agent.yaml").read_text())
    del document["entry"]
    document |= {"runtime": "exec", "command": ["./run"]}
    (directory / "agent.yaml").write_text(json.dumps(document))

    assert check_directory(directory) == (
        "agent.yaml: command[0]: ./run is not executable: chmod +x",
    )


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    assert "cannot read" in check_directory(tmp_path / "gone")[0]


def test_a_dependency_without_a_wheel_is_named(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", requires=["other"])

    with pytest.raises(UnmetRequirementError) as caught:
        make_bundle(tmp_path, requirements=["lib", "gone"])

    assert caught.value.problems == ("opmas-agent-web: gone", "lib: other")


def test_a_wheel_of_compiled_code_ties_the_bundle_to_this_architecture(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", tag=f"{CP}-{CP}-linux_x86_64")
    bundle = make_bundle(tmp_path, requirements=["lib"])

    manifest = json.loads(members_of(bundle.read_bytes())[MANIFEST])

    assert manifest["architectures"] == ["amd64"]


def test_a_wheel_with_a_longer_name_than_ustar_has_room_for(tmp_path: Path) -> None:
    tags = f"{CP}-{CP}-" + ".".join(f"manylinux_2_{minor}_x86_64" for minor in range(17, 25))
    make_wheel(tmp_path / "wheels", tag=tags)
    bundle = make_bundle(tmp_path, requirements=["lib"])

    assert f"wheels/lib-1.0-{CP}-{CP}-manylinux_2_17_x86_64.whl" in members_of(bundle.read_bytes())
    assert install(bundle, place=make_place(tmp_path)).fresh


def test_plain_tar_lists_a_bundle(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)

    listed = subprocess.run(
        ["tar", "--list", "--file", bundle], capture_output=True, text=True, check=True
    ).stdout

    assert listed.split() == [
        "manifest.json", "manifest.json.minisig", "agent.yaml",
        "wheels/opmas_agent_web-1.0.0-py3-none-any.whl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "verdict", "name"),
    [
        (KEY, "trusted", "tester"),
        (OTHER_KEY, "unknown-key", None),
        (None, "unsigned-bundle", None),
    ],
)
def test_inspection_tells_who_vouches_for_it(
    tmp_path: Path, key: Any, verdict: str, name: str | None
) -> None:
    bundle = make_bundle(tmp_path, key=key)
    trust = TrustStore(make_place(tmp_path).trusted_keys)

    found = inspect_bundle(bundle, trust)

    assert (found["name"], found["version"], found["verdict"]) == ("web", "1.0.0", verdict)
    assert found["key_name"] == name
    assert found["key"] == (key.public.id if key else None)
    assert found["files"][0]["path"] == "agent.yaml"


def test_inspection_tells_of_a_revoked_key_and_raises_a_wrong_signature(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    trust = TrustStore(make_place(tmp_path).trusted_keys)
    trust.revoke("tester", "lost")
    files = members_of(bundle.read_bytes())
    files[MANIFEST] = files[MANIFEST].replace(b"1.0.0", b"1.0.1")
    spoiled = tmp_path / "spoiled.opmas"
    spoiled.write_bytes(pack(files))

    assert inspect_bundle(bundle, trust)["verdict"] == "revoked-key"
    with pytest.raises(BadSignatureError):
        inspect_bundle(spoiled, trust)


def field(deb: Path, name: str) -> str:
    return subprocess.run(
        ["dpkg-deb", "--field", deb, name], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_debian_package_carries_the_bundle_as_it_is(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, version="1.0rc1", opmas=">=0.3")

    deb = build_deb(bundle, tmp_path / "debs")

    assert deb.name == "opmas-agent-web_1.0~rc1_all.deb"
    assert field(deb, "Depends") == "opmas-manager (>= 0.3)"
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path / "root"], check=True)
    carried = tmp_path / "root/usr/share/opmas/bundles/web-1.0rc1.opmas"
    assert carried.read_bytes() == bundle.read_bytes()
    subprocess.run(["dpkg-deb", "--control", deb, tmp_path / "control"], check=True)
    assert sorted(path.name for path in (tmp_path / "control").iterdir()) == [
        "control", "triggers",
    ]  # fmt: skip


def test_lintian_finds_nothing_in_it(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", tag=f"{CP}-{CP}-linux_x86_64")
    bundle = make_bundle(
        tmp_path, requirements=["lib"], license="MIT", summary="a long summary " * 6,
        links={"homepage": "https://example.org/web"},
    )  # fmt: skip
    deb = build_deb(bundle, tmp_path / "debs")

    said = subprocess.run(
        ["lintian", "--allow-root", "--fail-on=error,warning", deb],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (said.returncode, said.stdout) == (0, "")
    assert deb.name == "opmas-agent-web_1.0.0_amd64.deb"


def test_the_same_bundle_gives_the_same_debian_package(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    one = build_deb(bundle, tmp_path / "one").read_bytes()
    before = os.umask(0o077)
    try:
        two = build_deb(bundle, tmp_path / "two").read_bytes()
    finally:
        os.umask(before)

    assert one == two


def test_a_damaged_bundle_is_not_packed(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path)
    bundle.write_bytes(bundle.read_bytes()[:-10])

    with pytest.raises(OpmasError):
        build_deb(bundle, tmp_path / "debs")


def test_wheels_are_fetched_from_an_index_whatever_pip_is_told_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "files", "lib", requires=["other"])
    make_wheel(tmp_path / "files", "other")
    for name in ("lib", "other"):
        page = tmp_path / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="../../files/{name}-1.0-py3-none-any.whl">{name}</a>')
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    directory = make_package(tmp_path, requirements=["lib", "opmas-agent"])

    bundle = build_bundle(directory, tmp_path / "out", secret_key=KEY, fetch=True)

    names = [name for name in members_of(bundle.read_bytes()) if name.startswith("wheels/")]
    assert names == [
        "wheels/lib-1.0-py3-none-any.whl",
        "wheels/opmas_agent_web-1.0.0-py3-none-any.whl",
        "wheels/other-1.0-py3-none-any.whl",
    ]


def test_what_pip_cannot_fetch_is_said_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "nowhere").as_uri())
    directory = make_package(tmp_path, requirements=["lib"])

    with pytest.raises(OpmasError, match=r"cannot fetch wheels: pip: .*lib"):
        build_bundle(directory, tmp_path / "out", secret_key=KEY, fetch=True)


def test_a_date_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    with pytest.raises(OpmasError, match="it is no whole number"):
        make_bundle(tmp_path)
