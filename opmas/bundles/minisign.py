"""Keys and signatures in the format of minisign, so that people can sign and verify without OPMAS.

The layouts are those of https://jedisct1.github.io/minisign/: a line of comment, then base64.
Signatures are Ed25519 over the BLAKE2b-512 of the message ("ED"); the older kind over the message
itself ("Ed") is refused. The only owner of `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from opmas.errors import BadSignatureError, InvalidError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

FILE_LIMIT: Final = 4096  # bytes of a key or a signature; minisign itself stops at 8 KiB a comment
COMMENT_LIMIT: Final = 1024

_KEY: Final = b"Ed"
_PREHASHED: Final = b"ED"
_SCRYPT: Final = b"Sc"
_PLAIN: Final = b"\0\0"
_CHECKSUM: Final = b"B2"
_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
_SECRET: Final = struct.Struct("<2s2s2s32sQQ104s")
# scrypt with N = 2**17, r = 8, p = 1: 128 MiB, half a second. minisign's own is 1 GiB.
_OPERATIONS: Final = 4_194_304
_MEMORY: Final = 134_217_728
_MEMORY_LIMIT: Final = 1_073_741_824  # minisign's own; a file must not make us take more


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key that a signature is verified with; `number` tells keys apart."""

    number: bytes
    raw: bytes

    @property
    def id(self) -> str:
        """The key's id as minisign prints it: 16 hexadecimal digits."""
        return key_id(self.number)

    @classmethod
    def parse(cls, text: str, *, where: str = "the public key") -> PublicKey:
        """Return the key in the text of its file, or of its base64 line alone."""
        lines = text.strip().splitlines()
        blob = _decoded(lines[-1] if lines else "", where)
        if not 0 < len(lines) <= 2 or len(blob) != 42 or blob[:2] != _KEY:  # noqa: PLR2004
            raise InvalidError(f"cannot read {where}: it is no public key of minisign")
        return cls(blob[2:10], blob[10:])

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Return the key in the file, or raise `InvalidError`."""
        return cls.parse(_read(path), where=str(path))

    def render(self) -> str:
        """Return the text of the key's file."""
        blob = base64.b64encode(_KEY + self.number + self.raw).decode()
        return f"{_UNTRUSTED}minisign public key {self.id}\n{blob}\n"

    def verify(self, message: bytes, signature: Signature) -> None:
        """Return when the key signed the message and the comment, else `BadSignatureError`."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        try:
            key.verify(signature.raw, hashlib.blake2b(message).digest())
            key.verify(signature.comment_raw, signature.raw + signature.comment.encode())
        except InvalidSignature as error:
            raise BadSignatureError(
                f"cannot trust the signature: it is not of key {self.id} and of this content"
            ) from error


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature, the number of its key, and the comment that is signed with it."""

    number: bytes
    raw: bytes
    comment: str
    comment_raw: bytes

    @property
    def id(self) -> str:
        """The id of the key that signed."""
        return key_id(self.number)

    @classmethod
    def parse(cls, content: bytes) -> Signature:
        """Return the signature in a file's content, or raise `BadSignatureError`."""
        try:
            return cls._parsed(content.decode("ascii"))
        except (UnicodeDecodeError, InvalidError) as error:
            raise BadSignatureError(
                "cannot read the signature: it is no signature of minisign"
            ) from error

    @classmethod
    def _parsed(cls, text: str) -> Signature:
        lines = text.split("\n")
        if len(lines) != 5 or lines[4] or not lines[2].startswith(_TRUSTED):  # noqa: PLR2004
            raise InvalidError("not four lines")
        blob, comment_raw = (_decoded(lines[line], "the signature") for line in (1, 3))
        if len(blob) != 74 or len(comment_raw) != 64:  # noqa: PLR2004
            raise InvalidError("not of the length")
        if blob[:2] != _PREHASHED:
            raise InvalidError("not prehashed")
        return cls(blob[2:10], blob[10:], lines[2].removeprefix(_TRUSTED), comment_raw)

    def render(self) -> str:
        """Return the text of the signature's file."""
        blob = base64.b64encode(_PREHASHED + self.number + self.raw).decode()
        return (
            f"{_UNTRUSTED}signature from opmas, key {self.id}\n{blob}\n"
            f"{_TRUSTED}{self.comment}\n{base64.b64encode(self.comment_raw).decode()}\n"
        )


@dataclass(frozen=True, slots=True)
class SecretKey:
    """The key that signs."""

    number: bytes
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The public key of the pair."""
        return PublicKey(self.number, _public_raw(self.seed))

    @classmethod
    def generate(cls) -> SecretKey:
        """Return a new key."""
        return cls(os.urandom(8), os.urandom(32))

    @classmethod
    def parse(cls, text: str, password: str = "", *, where: str = "the secret key") -> SecretKey:
        """Return the key in the text of its file; `password` is of an encrypted one."""
        lines = text.strip().splitlines()
        blob = _decoded(lines[1] if len(lines) == 2 else "", where)  # noqa: PLR2004
        if len(blob) != _SECRET.size:
            raise InvalidError(f"cannot read {where}: it is no secret key of minisign")
        kind, kdf, check, salt, operations, memory, sealed = _SECRET.unpack(blob)
        if kind != _KEY or check != _CHECKSUM or kdf not in {_SCRYPT, _PLAIN}:
            raise InvalidError(f"cannot read {where}: it is of an unknown kind")
        if kdf == _SCRYPT:
            if not password:
                raise RequestError(f"cannot read {where}: it is encrypted and needs its password")
            sealed = _sealed(sealed, password, salt, (operations, memory))
        number, secret, checksum = sealed[:8], sealed[8:72], sealed[72:]
        # minisign leaves the checksum of a key that is not encrypted empty
        whole = kdf == _PLAIN and checksum == bytes(32)
        whole = whole or hmac.compare_digest(checksum, _checksum(number, secret))
        if not whole or secret[32:] != _public_raw(secret[:32]):
            why = "the password is wrong" if kdf == _SCRYPT else "it is damaged"
            raise RequestError(f"cannot read {where}: {why}")
        return cls(number, secret[:32])

    @classmethod
    def load(cls, path: Path, password: str = "") -> SecretKey:
        """Return the key in the file; `password` is of an encrypted one."""
        return cls.parse(_read(path), password, where=str(path))

    def render(self, password: str = "") -> str:
        """Return the text of the key's file: encrypted when there is a password."""
        secret = self.seed + _public_raw(self.seed)
        sealed = self.number + secret + _checksum(self.number, secret)
        kdf, salt, costs = _PLAIN, bytes(32), (0, 0)
        if password:
            kdf, salt, costs = _SCRYPT, os.urandom(32), (_OPERATIONS, _MEMORY)
            sealed = _sealed(sealed, password, salt, costs)
        blob = base64.b64encode(_SECRET.pack(_KEY, kdf, _CHECKSUM, salt, *costs, sealed))
        kind = "encrypted secret key" if password else "secret key"
        return f"{_UNTRUSTED}minisign {kind}\n{blob.decode()}\n"

    def save(self, path: Path, password: str = "") -> None:
        """Write the key to a new file that only its owner may read."""
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(self.render(password))
                file.flush()
                os.fsync(handle)
        except OSError as error:
            raise RequestError(f"cannot write {path}: {(error.strerror or '').lower()}") from error

    def sign(self, message: bytes, name: str, timestamp: int) -> Signature:
        """Return the signature; its comment holds the name of the file and the time."""
        comment = f"timestamp:{timestamp}\tfile:{name}\thashed"
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        raw = key.sign(hashlib.blake2b(message).digest())
        return Signature(self.number, raw, comment, key.sign(raw + comment.encode()))


def key_id(number: bytes) -> str:
    """Return the id of the key of that number, as minisign prints it."""
    return number[::-1].hex().upper()


def _public_raw(seed: bytes) -> bytes:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _checksum(number: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(_KEY + number + secret, digest_size=32).digest()


def _sealed(content: bytes, password: str, salt: bytes, costs: tuple[int, int]) -> bytes:
    """Return the content encrypted, or decrypted: it is one and the same."""
    number, parallel = _scrypt_costs(*costs)
    stream = hashlib.scrypt(
        password.encode(), salt=salt, n=number, r=8, p=parallel, dklen=len(content),
        maxmem=_MEMORY_LIMIT + 64 * 1024 * 1024,
    )  # fmt: skip
    return bytes(a ^ b for a, b in zip(content, stream, strict=True))


def _scrypt_costs(operations: int, memory: int) -> tuple[int, int]:
    """Return N and p as libsodium picks them (crypto_pwhash_scryptsalsa208sha256)."""
    if memory > _MEMORY_LIMIT or operations > _MEMORY_LIMIT:
        raise RequestError("cannot read the secret key: it asks for too much memory or time")
    operations = max(operations, 32_768)
    small = operations < memory // 32
    most = operations // 32 if small else memory // 1024
    number = 2
    while number <= most // 2:
        number *= 2
    parallel = 1 if small else max(1, operations // 4 // number // 8)
    return number, parallel


def _decoded(line: str, where: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"cannot read {where}: it is not in base64") from error


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_LIMIT).decode("ascii")
    except OSError as error:
        raise RequestError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"cannot read {path}: it is no key of minisign") from error
