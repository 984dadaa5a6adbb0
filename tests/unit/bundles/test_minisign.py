"""Keys and signatures in minisign's format. tests/integration holds them against the real tool."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from opmas.bundles.minisign import PublicKey, SecretKey, Signature
from opmas.errors import BadSignatureError, InvalidError, RequestError
from tests.unit.bundles.material import KEY, OTHER_KEY

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b'{"name":"web"}\n'


def test_what_a_key_signed_its_public_key_verifies() -> None:
    signature = Signature.parse(KEY.sign(MESSAGE, "manifest.json", 5).render().encode())

    KEY.public.verify(MESSAGE, signature)

    assert signature.comment == "timestamp:5\tfile:manifest.json\thashed"
    assert signature.id == KEY.public.id == "3837363534333231"


@pytest.mark.parametrize(
    "sabotage",
    [
        lambda s: (MESSAGE + b" ", s),
        lambda s: (MESSAGE, replace(s, raw=bytes(64))),
        lambda s: (MESSAGE, replace(s, comment_raw=bytes(64))),
        lambda s: (MESSAGE, replace(s, comment=s.comment + "!")),
        lambda s: (MESSAGE, OTHER_KEY.sign(MESSAGE, "manifest.json", 5)),
    ],
    ids=["message", "signature", "global signature", "comment", "another key"],
)
def test_nothing_of_it_can_be_changed(sabotage) -> None:
    message, signature = sabotage(KEY.sign(MESSAGE, "manifest.json", 5))

    with pytest.raises(BadSignatureError):
        KEY.public.verify(message, signature)


def legacy(text: str) -> str:
    """The signature as of the kind that minisign no longer makes."""
    lines = text.split("\n")
    blob = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(b"Ed" + blob[2:]).decode()
    return "\n".join(lines)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "x",
        lambda text: text + "x",
        lambda text: text.replace("trusted comment: timestamp", "comment: timestamp"),
        lambda text: text.replace("\n", "\n!", 1),
        lambda text: text[:-10] + "\n",
        lambda text: text + "\u00e4",
        legacy,
    ],
)
def test_what_is_no_signature_is_refused(spoil) -> None:
    text = KEY.sign(MESSAGE, "manifest.json", 5).render()

    with pytest.raises(BadSignatureError, match="it is no signature of minisign"):
        Signature.parse(spoil(text).encode())


def test_a_public_key_comes_back_from_its_file_and_from_its_line_alone() -> None:
    text = KEY.public.render()

    assert PublicKey.parse(text) == PublicKey.parse(text.splitlines()[1]) == KEY.public


@pytest.mark.parametrize("text", ["", "a\nb\nc", "untrusted comment: x\nRWQ=\n", "\u00e4", "!"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        PublicKey.parse(text)


@pytest.mark.parametrize("password", ["", "correct horse"])
def test_a_secret_key_comes_back_from_its_file_which_is_its_owners_alone(
    tmp_path: Path, password: str
) -> None:
    path = tmp_path / "x.key"
    KEY.save(path, password)

    assert SecretKey.load(path, password) == KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_key_is_never_overwritten(tmp_path: Path) -> None:
    KEY.save(tmp_path / "x.key")

    with pytest.raises(RequestError, match="file exists"):
        OTHER_KEY.save(tmp_path / "x.key")


@pytest.mark.parametrize(("password", "reason"), [("", "needs its password"), ("x", "is wrong")])
def test_an_encrypted_key_needs_the_right_password(password: str, reason: str) -> None:
    text = KEY.render("correct horse")

    with pytest.raises(RequestError, match=reason):
        SecretKey.parse(text, password)


def test_a_key_file_cannot_make_us_take_all_memory() -> None:
    lines = KEY.render("correct horse").splitlines()
    blob = bytearray(base64.b64decode(lines[1]))
    blob[46:54] = (2**40).to_bytes(8, "little")  # the memory that scrypt is to take

    with pytest.raises(RequestError, match="too much memory"):
        SecretKey.parse(f"{lines[0]}\n{base64.b64encode(blob).decode()}\n", "correct horse")


def test_a_secret_key_does_not_show_itself() -> None:
    assert "seed" not in repr(KEY)


def test_two_new_keys_are_two() -> None:
    assert SecretKey.generate() != SecretKey.generate()
