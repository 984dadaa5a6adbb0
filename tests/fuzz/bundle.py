"""Throws inputs at the reader of bundles, led by which code they reach (atheris, libFuzzer).

`python -m tests.fuzz.bundle --seconds 600` in the top of a checkout. The first byte of an input
chooses what the rest is: a whole archive, a wheel, agent.yaml, manifest.json, a signature, a key.
What is found is left in the directory that is named at the beginning.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["opmas.bundles", "tarfile", "zipfile", "installer"]):
    from opmas.bundles import installation, staging
    from opmas.bundles.manifest import MANIFEST
    from opmas.bundles.minisign import PublicKey, SecretKey, Signature

from opmas.errors import BundleError, InvalidError, RequestError
from tests.unit.bundles.material import (
    KEY,
    listing,
    make_bundle,
    make_wheel,
    members_of,
    pack,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LIB: Final = "wheels/lib-1.0-py3-none-any.whl"
MEMORY: Final = 1024  # MiB
SLOW: Final = 10  # seconds that one input may take


class Sandbox:
    """A directory in which inputs are installed; whatever appears beside its place is a find."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "x.opmas"
        self._folder = folder
        self._root = folder / "deep" / "packages"
        self._place = installation.Place(self._root, folder / "keys", allow_unsigned=True)
        make_wheel(folder / "made" / "wheels", files={"lib/__init__.py": "", "lib/d": "1"})
        self.bundle = make_bundle(folder / "made", key=None, requirements=["lib"]).read_bytes()
        self.files = members_of(self.bundle)
        self._path.touch()
        self._root.mkdir(parents=True)
        self._before = self._outside()

    def install(self, content: bytes) -> None:
        """Install the archive, and look what it has left."""
        self._path.write_bytes(content)
        with suppress(BundleError, InvalidError, RequestError):
            done = installation.install(self._path, place=self._place)
            installation.uninstall(self._root, done.name, done.version)
        left = [found for found in self._root.rglob("*") if found.name != staging.FOLDER]
        if left or self._outside() != self._before:
            raise AssertionError(f"it left {left or self._outside() - self._before}")

    def install_with(self, name: str, content: bytes) -> None:
        """Install the good bundle with another content of one file, which is listed as it is."""
        files = {**self.files, name: content}
        files[MANIFEST] = content if name == MANIFEST else listing(files)
        self.install(pack(files))

    def _outside(self) -> set[Path]:
        return {found for found in self._folder.rglob("*") if not found.is_relative_to(self._root)}


def parse(reader: Callable[[str], object], content: bytes) -> None:
    """Read a key or a signature; only our own errors may come of it."""
    with suppress(BundleError, InvalidError, RequestError):
        reader(content.decode("latin-1"))


def throw(sandbox: Sandbox, content: bytes) -> None:
    """Throw one input at what its first byte chooses."""
    kind, rest = content[:1], content[1:]
    if kind == b"w":
        sandbox.install_with(LIB, rest)
    elif kind == b"y":
        sandbox.install_with("agent.yaml", rest or b"x")
    elif kind == b"m":
        sandbox.install_with(MANIFEST, rest)
    elif kind == b"s":
        parse(lambda text: Signature.parse(text.encode("latin-1")), rest)
    elif kind == b"p":
        parse(PublicKey.parse, rest)
    elif kind == b"k":
        parse(SecretKey.parse, rest)
    else:
        sandbox.install(rest)


def seeds(sandbox: Sandbox) -> dict[str, bytes]:
    """Return what the first inputs are made from."""
    return {
        "archive": b"a" + sandbox.bundle,
        "wheel": b"w" + sandbox.files[LIB],
        "agent.yaml": b"y" + sandbox.files["agent.yaml"],
        "manifest": b"m" + sandbox.files[MANIFEST],
        "signature": b"s" + KEY.sign(b"x", "x", 0).render().encode(),
        "public": b"p" + KEY.public.render().encode(),
        "secret": b"k" + KEY.render().encode(),
    }


def main() -> None:
    """Fuzz until the time is over, or something is found: then the exit code is not 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    # neither compiled nor synced: both are the same for every input and take most of the time
    setattr(installation, "compile_files", lambda *_: None)  # noqa: B010
    setattr(staging, "_sync_all", lambda _: None)  # noqa: B010
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    finds = Path(tempfile.mkdtemp(prefix="opmas-fuzz-"))
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        sandbox = Sandbox(Path(folder) / "sandbox")
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for name, content in seeds(sandbox).items():
            (corpus / name).write_bytes(content)
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}"]
        options = [*limits, "-max_len=40000", f"-artifact_prefix={finds}/", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: throw(sandbox, data))
        sys.stderr.write(f"fuzz: finds are left in {finds}\n")
        atheris.Fuzz()


if __name__ == "__main__":
    main()
