"""Every way in which a bundle can be wrong has an error of its own, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from opmas.bundles import limits
from opmas.bundles.installation import install
from opmas.bundles.manifest import MANIFEST, SIGNATURE
from opmas.bundles.trust import TrustStore
from opmas.errors import BundleError, RequestError
from tests.unit.bundles.material import (
    KEY,
    OTHER_KEY,
    archive,
    header,
    listing,
    make_bundle,
    make_place,
    make_wheel,
    member,
    members_of,
    pack,
    signed,
)

if TYPE_CHECKING:
    from pathlib import Path

OWN = "wheels/opmas_agent_web-1.0.0-py3-none-any.whl"
LIB = "wheels/lib-1.0-py3-none-any.whl"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The files of a good bundle, in their order."""
    make_wheel(tmp_path / "wheels")
    bundle = make_bundle(tmp_path, requirements=["lib"])
    return members_of(bundle.read_bytes())


def refusal(folder: Path, content: bytes, **expected: Any) -> str:
    """The code of the error that the installation ends with; nothing is left but empty folders."""
    path = folder / "hostile.opmas"
    path.write_bytes(content)
    place = make_place(folder)
    with pytest.raises((BundleError, RequestError)) as caught:
        install(path, place=place, **expected)
    left = [found for found in place.root.rglob("*") if found.name != ".staging"]
    assert left == []
    return caught.value.code


def test_the_good_bundle_is_taken(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "good.opmas"
    path.write_bytes(pack(files))

    assert install(path, place=make_place(tmp_path)).fresh


def test_an_unsigned_bundle(tmp_path: Path, files: dict[str, bytes]) -> None:
    del files[SIGNATURE]

    assert refusal(tmp_path, pack(files)) == "unsigned-bundle"


def test_an_unknown_key(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert refusal(tmp_path, pack(signed(files, OTHER_KEY))) == "unknown-key"


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ({"valid_until": "2020-01-01"}, "expired-key"),
        ({"packages": ["db"]}, "key-not-allowed"),
    ],
)
def test_a_key_beyond_its_conditions(
    tmp_path: Path, files: dict[str, bytes], conditions: dict[str, Any], code: str
) -> None:
    TrustStore(tmp_path / "keys").add(KEY.public, "tester", **conditions)

    assert refusal(tmp_path, pack(files)) == code


def test_a_revoked_key(tmp_path: Path, files: dict[str, bytes]) -> None:
    make_place(tmp_path)
    TrustStore(tmp_path / "keys").revoke("tester", "lost")

    assert refusal(tmp_path, pack(files)) == "revoked-key"


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_a_flipped_byte_in_what_is_signed(
    tmp_path: Path, files: dict[str, bytes], name: str
) -> None:
    content = bytearray(files[name])
    content[len(content) // 2] ^= 1
    files[name] = bytes(content)

    assert refusal(tmp_path, pack(files)) in {"bad-signature", "unknown-key"}


@pytest.mark.parametrize("name", ["agent.yaml", LIB, OWN])
def test_a_flipped_byte_in_what_is_listed(
    tmp_path: Path, files: dict[str, bytes], name: str
) -> None:
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])

    assert refusal(tmp_path, pack(files)) == "digest-mismatch"


def test_a_longer_file(tmp_path: Path, files: dict[str, bytes]) -> None:
    files[LIB] += b"\0"

    assert refusal(tmp_path, pack(files)) == "digest-mismatch"


@pytest.mark.parametrize("position", [2, 3, 5])
def test_an_unlisted_member(tmp_path: Path, files: dict[str, bytes], position: int) -> None:
    parts = [member(name, content) for name, content in files.items()]
    parts.insert(position, member("wheels/extra-1-py3-none-any.whl", b"x"))

    assert refusal(tmp_path, archive(*parts)) == "unlisted-member"


@pytest.mark.parametrize("name", [MANIFEST, "agent.yaml", LIB, OWN])
def test_a_missing_member(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    del files[name]

    assert refusal(tmp_path, pack(files)) == "missing-member"


def test_members_in_another_order(tmp_path: Path, files: dict[str, bytes]) -> None:
    parts = [member(name, content) for name, content in files.items()]

    assert refusal(tmp_path, archive(*parts[:3], parts[4], parts[3])) == "missing-member"


@pytest.mark.parametrize("again", [0, 2, 3, 4])
def test_a_duplicate_member(tmp_path: Path, files: dict[str, bytes], again: int) -> None:
    parts = [member(name, content) for name, content in files.items()]

    assert refusal(tmp_path, archive(*parts, parts[again])) == "duplicate-member"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "wheels/../../x", "./x", "wheels//x", "x\\y", "..", "\x7fx"]
)
def test_an_unsafe_path(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    parts = [member(name, content) for name, content in files.items()]

    assert refusal(tmp_path, archive(*parts, member(name, b"x"))) == "unsafe-path"


@pytest.mark.parametrize("path", ["/etc/x.whl", "../x.whl", "wheels/../x.whl"])
def test_an_unsafe_path_in_a_signed_manifest(
    tmp_path: Path, files: dict[str, bytes], path: str
) -> None:
    entry = {"path": path, "size": 1, "sha256": "0" * 64}
    files[MANIFEST] = listing(files, files=[entry])

    assert refusal(tmp_path, pack(signed(files))) == "unsafe-path"


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE,
        tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.AREGTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE,
        tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, b"Z",
    ],
)  # fmt: skip
def test_a_member_that_is_no_plain_file(
    tmp_path: Path, files: dict[str, bytes], kind: bytes
) -> None:
    parts = [member(name, content) for name, content in files.items()]
    hostile = header("wheels/x", 0, type=kind, linkname="/etc/passwd")

    assert refusal(tmp_path, archive(*parts, hostile)) in {"unsafe-member", "unsafe-path"}


@pytest.mark.parametrize(
    "fields",
    [{"mode": 0o4755}, {"uid": 1}, {"gid": 1}, {"mtime": 1}, {"uname": "root"}, {"gname": "root"}],
)
def test_a_header_that_says_more_than_it_has_to(
    tmp_path: Path, files: dict[str, bytes], fields: dict[str, Any]
) -> None:
    parts = [member(name, content) for name, content in files.items()]
    parts[2] = member("agent.yaml", files["agent.yaml"], **fields)

    assert refusal(tmp_path, archive(*parts)) == "invalid-bundle"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:100],
        lambda content: content[:-512],
        lambda content: content[: len(content) // 2],
        lambda content: content + bytes(512),
        lambda content: content + bytes(10240),
        lambda content: content[:-1] + b"x",
        lambda content: b"",
        lambda content: b"PK\3\4" * 1000,
        lambda content: content[:600] + b"\1" + content[601:],
    ],
    ids=[
        "a part of a header", "no end", "half", "more zeros", "another record", "an end with x",
        "empty", "a zip", "padding",
    ],
)  # fmt: skip
def test_an_archive_that_is_not_whole(tmp_path: Path, files: dict[str, bytes], spoil) -> None:
    assert refusal(tmp_path, spoil(pack(files))) in {"invalid-bundle", "bad-signature"}


def test_something_behind_a_file(tmp_path: Path, files: dict[str, bytes]) -> None:
    parts = [member(name, content) for name, content in files.items()]
    parts[2] = parts[2][:-1] + b"x"

    assert refusal(tmp_path, archive(*parts)) == "invalid-bundle"


@pytest.mark.parametrize(
    "size", [limits.MANIFEST_SIZE + 1, 8 * 2**30 - 1], ids=["a byte too much", "8 GiB"]
)
def test_a_manifest_that_is_too_large(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large.opmas"
    path.write_bytes(header(MANIFEST, size))
    os.truncate(path, 512 + size + 1024)  # sparse: nobody reads all that

    with pytest.raises(BundleError) as caught:
        install(path, place=make_place(tmp_path))

    assert caught.value.code == "bundle-too-large"


def test_a_wheel_that_is_too_large_is_refused_by_its_listing(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    entry = {"path": LIB, "size": limits.WHEEL_SIZE + 1, "sha256": "0" * 64}
    files[MANIFEST] = listing(files, files=[entry])

    assert refusal(tmp_path, pack(signed(files))) == "bundle-too-large"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"api": "opmas.bundle/v2"}, "invalid-bundle"),
        ({"extra": 1}, "invalid-bundle"),
        ({"version": "1.0.0-RC1"}, "invalid-bundle"),
        ({"files": [{}]}, "invalid-bundle"),
        ({"agent_yaml": {"size": 0}}, "invalid-bundle"),
        (dict.fromkeys(map(str, range(50_000)), 1), "invalid-bundle"),
        ({"version": "1.0.1"}, "version-mismatch"),
        ({"name": "db"}, "version-mismatch"),
        ({"requires_python": ">=3.5"}, "invalid-bundle"),
        ({"requires_python": ">=9"}, "unfit-python"),
        ({"architectures": ["s390x"]}, "unfit-host"),
    ],
)
def test_a_signed_manifest_that_does_not_fit(
    tmp_path: Path, files: dict[str, bytes], changes: dict[str, Any], code: str
) -> None:
    files[MANIFEST] = listing(files, **changes)

    assert refusal(tmp_path, pack(signed(files))) == code


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '"\ud800"', "[" * 100_000, '{"size":' + "9" * 5000 + "}", "NaN",
        '{"api":"opmas.bundle/v1","api":"opmas.bundle/v1"}',
    ],
    ids=range(9),
)  # fmt: skip
def test_a_signed_manifest_that_is_none(
    tmp_path: Path, files: dict[str, bytes], text: str
) -> None:
    files[MANIFEST] = text.encode(errors="surrogatepass")

    assert refusal(tmp_path, pack(signed(files))) == "invalid-bundle"


def test_a_manifest_with_spaces_is_not_canonical(tmp_path: Path, files: dict[str, bytes]) -> None:
    files[MANIFEST] = json.dumps(json.loads(files[MANIFEST]), sort_keys=True).encode()

    assert refusal(tmp_path, pack(signed(files))) == "invalid-bundle"


@pytest.mark.parametrize(
    "expected", [{"expect_name": "db"}, {"expect_version": "1.0.1"}, {"expect_version": "2"}]
)
def test_another_bundle_than_was_asked_for(
    tmp_path: Path, files: dict[str, bytes], expected: dict[str, str]
) -> None:
    assert refusal(tmp_path, pack(files), **expected) == "version-mismatch"


def with_agent_yaml(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    document = json.loads(files["agent.yaml"]) | changes
    files["agent.yaml"] = json.dumps(document).encode()
    files[MANIFEST] = listing(files)
    return signed(files)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"opmas": ">=99"}, "unfit-opmas"),
        ({"architectures": ["s390x"]}, "unfit-host"),
        ({"summary": ""}, "invalid-value"),
        ({"runtime": "exec", "entry": None, "command": ["/bin/true"]}, "invalid-value"),
    ],
)
def test_an_agent_yaml_that_does_not_fit(
    tmp_path: Path, files: dict[str, bytes], changes: dict[str, Any], code: str
) -> None:
    assert refusal(tmp_path, pack(with_agent_yaml(files, **changes))) == code


def with_wheel(files: dict[str, bytes], path: Path) -> dict[str, bytes]:
    """The files with another wheel among them, all listed and signed."""
    wheels = {name: files[name] for name in files if name.startswith("wheels/")}
    wheels[f"wheels/{path.name}"] = path.read_bytes()
    rest = {name: files[name] for name in files if name not in wheels}
    whole = {**rest, **dict(sorted(wheels.items()))}
    whole[MANIFEST] = listing(whole)
    return signed(whole)


@pytest.mark.parametrize(
    ("wheel", "code"),
    [
        ({"name": "x", "tag": "cp27-cp27m-win32"}, "unfit-wheel"),
        ({"name": "x", "tag": "cp311-cp311-manylinux_9_99_x86_64"}, "unfit-wheel"),
        ({"name": "x", "requires": ["nowhere"]}, "unmet-requirement"),
        ({"name": "x", "requires": ["lib>=2"]}, "unmet-requirement"),
        ({"name": "x", "requires": ["opmas-agent>=99"]}, "unmet-requirement"),
        ({"name": "x", "requires": ["lib @ https://example.com/lib.whl"]}, "unmet-requirement"),
        ({"name": "x", "requires": ["!!"]}, "unfit-wheel"),
        ({"name": "lib", "version": "2.0"}, "unfit-wheel"),
        ({"name": "x", "files": {"../x.py": ""}}, "unsafe-path"),
        ({"name": "x", "files": {"/etc/x.py": ""}}, "unsafe-path"),
        ({"name": "x", "files": {"lib.py": "x = 2\n"}}, "unfit-wheel"),
        ({"name": "x", "files": {"x-1.0.data/nowhere/x": ""}}, "unfit-wheel"),
        ({"name": "x", "files": {"x-1.0.data/purelib": ""}}, "unfit-wheel"),
        ({"name": "x", "files": {"x-1.0.data.py": ""}}, "unfit-wheel"),
        ({"name": "x", "files": {"x-1.0.data": ""}}, "unfit-wheel"),
        ({"name": "x", "files": {"a": "", "a/b": ""}}, "duplicate-member"),
        ({"name": "x", "files": {"a/b": "", "a": ""}}, "duplicate-member"),
        ({"name": "x", "files": {"lib.py/b": ""}}, "duplicate-member"),
    ],
)
def test_a_signed_wheel_that_does_not_fit(
    tmp_path: Path, files: dict[str, bytes], wheel: dict[str, Any], code: str
) -> None:
    path = make_wheel(tmp_path / "hostile", **wheel)

    assert refusal(tmp_path, pack(with_wheel(files, path))) == code


@pytest.mark.parametrize("path", ["agent.yaml", ".opmas/receipt.json", ".opmas/site/x.py"])
def test_own_code_in_the_place_of_what_opmas_writes(
    tmp_path: Path, files: dict[str, bytes], path: str
) -> None:
    own = make_wheel(tmp_path / "hostile", "opmas-agent-web", "1.0.0", files={path: "x"})

    assert refusal(tmp_path, pack(with_wheel(files, own))) == "unsafe-path"


def test_more_files_than_a_version_may_have(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES", 7)

    assert refusal(tmp_path, pack(files)) == "bundle-too-large"


def test_own_code_of_another_version(tmp_path: Path, files: dict[str, bytes]) -> None:
    del files[OWN]
    own = make_wheel(tmp_path / "hostile", "opmas-agent-web", "1.0.1")

    assert refusal(tmp_path, pack(with_wheel(files, own))) == "version-mismatch"


def test_no_own_code(tmp_path: Path, files: dict[str, bytes]) -> None:
    del files[OWN]
    files[MANIFEST] = listing(files)

    assert refusal(tmp_path, pack(signed(files))) == "unfit-wheel"


@pytest.mark.parametrize("kind", ["nothing", "a directory", "a link", "a pipe"])
def test_what_is_no_file(tmp_path: Path, files: dict[str, bytes], kind: str) -> None:
    path = tmp_path / "x.opmas"
    (tmp_path / "good.opmas").write_bytes(pack(files))
    make = {
        "nothing": lambda: None,
        "a directory": path.mkdir,
        "a link": lambda: path.symlink_to("good.opmas"),
        "a pipe": lambda: os.mkfifo(path),
    }
    make[kind]()

    with pytest.raises(RequestError, match="cannot read"):
        install(path, place=make_place(tmp_path))


def test_a_good_signature_does_not_help_a_swapped_manifest(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    old = hashlib.sha256(files[MANIFEST]).hexdigest()
    files[MANIFEST] = listing(files, version="9.0.0")

    assert hashlib.sha256(files[MANIFEST]).hexdigest() != old
    assert refusal(tmp_path, pack(files)) == "bad-signature"
