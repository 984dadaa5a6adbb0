"""The real minisign signs what OPMAS verifies, and verifies what OPMAS signs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from opmas.bundles.minisign import PublicKey, SecretKey, Signature
from opmas.errors import BadSignatureError
from tests.unit.bundles.material import KEY, make_bundle, members_of

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b'{"name":"web"}\n'


def minisign(folder: Path, *arguments: str, typed: str = "") -> str:
    done = subprocess.run(
        ["minisign", *arguments],
        cwd=folder, input=typed, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_bytes(MESSAGE)
    return tmp_path


def test_its_key_signs_and_we_verify(folder: Path) -> None:
    minisign(folder, "-G", "-W", "-p", "x.pub", "-s", "x.key")
    minisign(folder, "-S", "-s", "x.key", "-m", "manifest.json", "-t", "for web 1.0.0")

    signature = Signature.parse((folder / "manifest.json.minisig").read_bytes())
    PublicKey.load(folder / "x.pub").verify(MESSAGE, signature)

    assert signature.comment == "for web 1.0.0"
    assert SecretKey.load(folder / "x.key").public == PublicKey.load(folder / "x.pub")
    # the tool leaves out leading zeros
    assert signature.id.lstrip("0") in (folder / "x.pub").read_text()


def test_its_encrypted_key_is_ours_too(folder: Path) -> None:
    minisign(folder, "-G", "-p", "x.pub", "-s", "x.key", typed="secret\nsecret\n")

    assert SecretKey.load(folder / "x.key", "secret").public == PublicKey.load(folder / "x.pub")


@pytest.mark.parametrize("password", ["", "secret"])
def test_our_key_signs_with_it(folder: Path, password: str) -> None:
    KEY.save(folder / "x.key", password)

    minisign(folder, "-S", "-s", "x.key", "-m", "manifest.json", typed=f"{password}\n")

    signature = Signature.parse((folder / "manifest.json.minisig").read_bytes())
    KEY.public.verify(MESSAGE, signature)


def test_we_sign_and_it_verifies(folder: Path) -> None:
    (folder / "x.pub").write_text(KEY.public.render())
    signature = KEY.sign(MESSAGE, "manifest.json", 1_700_000_000)
    (folder / "manifest.json.minisig").write_text(signature.render())

    said = minisign(folder, "-V", "-p", "x.pub", "-m", "manifest.json")

    assert "Signature and comment signature verified" in said
    assert "timestamp:1700000000" in said


def test_its_old_kind_of_signature_is_refused(folder: Path) -> None:
    minisign(folder, "-G", "-W", "-p", "x.pub", "-s", "x.key")
    minisign(folder, "-S", "-l", "-s", "x.key", "-m", "manifest.json")

    with pytest.raises(BadSignatureError):
        Signature.parse((folder / "manifest.json.minisig").read_bytes())


def test_a_bundle_is_verified_with_tar_and_minisign_alone(tmp_path: Path) -> None:
    files = members_of(make_bundle(tmp_path).read_bytes())
    for name in ("manifest.json", "manifest.json.minisig"):
        (tmp_path / name).write_bytes(files[name])

    line = KEY.public.render().splitlines()[1]

    assert "verified" in minisign(tmp_path, "-V", "-P", line, "-m", "manifest.json")
