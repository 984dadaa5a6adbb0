"""Has the Python files of a staging directory compiled by processes of their own."""

from __future__ import annotations

import hashlib
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from opmas.bundles.unpacking import Unpacked

COMPILERS: Final = 2  # at most; more processors are left to what serves
SHARE: Final = 200_000  # bytes of sources below which a second process costs more than it saves
TIMEOUT: Final = 600.0  # seconds; what is not compiled then is compiled at each start, in memory
_PROGRAM: Final = Path(__file__).with_name("compiler.py")


def compile_files(unpacked: Unpacked, final: Path, progress: Callable[[int, int], None]) -> None:
    """Compile all files as if they were in `final` already, and add the .pyc to the digests."""
    sources = [path for path in unpacked.files if path.endswith(".py")]
    if not sources:
        return
    shares = _shares(sources, unpacked.directory)
    compilers = [_start(unpacked.directory, final) for _ in shares]
    try:
        for compiler, share in zip(compilers, shares, strict=True):
            _hand_over(compiler, share)
        _wait(compilers, len(sources), progress)
    finally:
        for compiler in compilers:
            compiler.kill()
            compiler.wait()
            if compiler.stdout:
                compiler.stdout.close()
    _add_compiled(sources, unpacked)


def _shares(sources: list[str], directory: Path) -> list[list[str]]:
    """Return the sources in parts of about one size, the largest files first."""
    sizes = {source: (directory / source).stat().st_size for source in sources}
    wanted = min(COMPILERS, len(os.sched_getaffinity(0)), 1 + sum(sizes.values()) // SHARE)
    shares: list[list[str]] = [[] for _ in range(wanted)]
    loads = [0] * wanted
    for source in sorted(sources, key=sizes.__getitem__, reverse=True):
        lightest = loads.index(min(loads))
        shares[lightest].append(source)
        loads[lightest] += sizes[source] + 500  # what a file costs beside its length
    return shares


def _start(directory: Path, final: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_PROGRAM), str(directory), str(final)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
    )


def _hand_over(compiler: subprocess.Popen[bytes], share: list[str]) -> None:
    if compiler.stdin is None:
        return
    try:
        with compiler.stdin as pipe:
            pipe.write(b"".join(os.fsencode(source) + b"\0" for source in share))
    except BrokenPipeError:  # it died; its files stay uncompiled
        return


def _wait(
    compilers: list[subprocess.Popen[bytes]], total: int, progress: Callable[[int, int], None]
) -> None:
    done = 0
    deadline = time.monotonic() + TIMEOUT
    with selectors.DefaultSelector() as waiting:
        for compiler in compilers:
            if compiler.stdout:
                waiting.register(compiler.stdout, selectors.EVENT_READ)
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                said = os.read(key.fd, 4096)
                if not said:
                    waiting.unregister(key.fileobj)
                done += len(said)
                progress(done, total)


def _add_compiled(sources: list[str], unpacked: Unpacked) -> None:
    tag = sys.implementation.cache_tag
    for source in sources:
        folder, _, name = source.rpartition("/")
        stem = f"__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
        compiled = f"{folder}/{stem}" if folder else stem
        try:
            with (unpacked.directory / compiled).open("rb") as file:
                unpacked.files[compiled] = hashlib.file_digest(file, "sha256").hexdigest()
                unpacked.bytes += os.fstat(file.fileno()).st_size
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue  # not compiled, or a wheel has something else in its place
