"""Bundles installed, each by a process of its own as the package worker is one.

`python3 -m tests.bench.measures.install` in the top of a checkout measures this machine.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opmas.bundles.build import build_bundle
from opmas.bundles.minisign import SecretKey
from opmas.bundles.trust import TrustStore
from tests.bench.figure import Figure, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stage import Stage

ROUNDS: Final = 5
MEMORY: Final = 40.0  # MB
# In the process itself: what starting Python takes is not an installation's.
INSTALL: Final = """
import json, resource, sys, time
from pathlib import Path
begun = time.monotonic()
from opmas.bundles.installation import Place, install
path, root, keys = map(Path, sys.argv[1:])
done = install(path, place=Place(root, keys))
seconds = time.monotonic() - begun
sizes = [resource.getrusage(who).ru_maxrss / 1024
         for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"seconds": seconds, "self": sizes[0], "children": sizes[1],
                  "bytes": done.bytes, "fresh": done.fresh}))
"""


@dataclass(frozen=True, slots=True)
class Size:
    """A bundle: wheels with Python out of the standard library, and with what is no code."""

    name: str
    wheels: int
    sources: int  # bytes of Python files, all wheels together
    binary: int  # bytes that do not compress, as in shared libraries
    seconds: float


SIZES: Final = (
    Size("small", 4, 1_200_000, 650_000, 0.5),
    Size("large", 24, 8_000_000, 16_000_000, 3.0),
)


def installs(stage: Stage) -> Iterator[Figure]:
    """Measure the time and the memory that bundles take to be installed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for size in SIZES:
            bundle, keys = make(Path(folder) / size.name, size)
            stage.say(f"installing a bundle of {size.wheels} wheels, {ROUNDS} times")
            yield from _figures(size, bundle, keys)


def make(folder: Path, size: Size) -> tuple[Path, Path]:
    """Return a signed bundle of that size, and the keys that are trusted for it."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    names = [f"dep{number}" for number in range(size.wheels - 1)]
    files = _sources(size.sources)
    for number, name in enumerate(names):
        share = files[number :: len(names)]
        _make_wheel(wheels, name, share, size.binary // len(names))
    package = folder / "bench"
    package.mkdir()
    (package / "bench.py").write_text("class Bench:\n    pass\n")
    manifest = {
        "api": "opmas.agent/v1", "name": "bench", "version": "1.0.0", "summary": "a large one",
        "runtime": "python", "entry": "bench:Bench", "requirements": names,
    }  # fmt: skip
    (package / "agent.yaml").write_text(json.dumps(manifest))
    key = SecretKey.generate()
    TrustStore(folder / "keys").add(key.public, "bench")
    return build_bundle(package, folder, secret_key=key, wheels=wheels), folder / "keys"


def _sources(size: int) -> list[Path]:
    """Return files of the standard library, of about that size together."""
    found = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if size <= 0:
            break
        if path.stat().st_size < 100_000 and "test" not in str(path):
            found.append(path)
            size -= path.stat().st_size
    return found


def _make_wheel(folder: Path, name: str, files: list[Path], binary: int) -> None:
    info = f"{name}-1.0.dist-info"
    content = {f"{name}/m{number}.py": path.read_bytes() for number, path in enumerate(files)}
    content[f"{name}/native.bin"] = random.Random(name).randbytes(binary)
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
    content[f"{info}/RECORD"] = "".join(
        f"{path},,\n" for path in (*content, f"{info}/RECORD")
    ).encode()
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in content.items():
            archive.writestr(member, text)


def _figures(size: Size, bundle: Path, keys: Path) -> Iterator[Figure]:
    runs = [_install(bundle, bundle.parent / f"root{number}", keys) for number in range(ROUNDS)]
    seconds = tuple(run["seconds"] for run in runs)
    megabytes = bundle.stat().st_size / 1e6
    what = f"bundle of {size.wheels} wheels ({megabytes:.1f} MB)"
    note = f"{runs[0]['bytes'] / 1e6:.0f} MB when installed and compiled"
    yield Figure(
        f"install-{size.name}", f"{what} installed", "s", seconds, (Target("p50", size.seconds),),
        note,
    )  # fmt: skip
    for who, words in (("self", "its process"), ("children", "its largest compiler")):
        sizes = tuple(run[who] for run in runs)
        yield Figure(
            f"install-{size.name}-memory-{who}", f"{what}, peak RSS of {words}", "MB", sizes,
            (Target("max", MEMORY),),
        )  # fmt: skip


def _install(bundle: Path, root: Path, keys: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", INSTALL, str(bundle), str(root), str(keys)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _here() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for size in SIZES:
            bundle, keys = make(Path(folder) / size.name, size)
            for figure in _figures(size, bundle, keys):
                print(json.dumps(figure.document()))


if __name__ == "__main__":
    _here()
