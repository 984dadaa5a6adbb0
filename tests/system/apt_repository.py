"""A signed apt repository of small sample packages, made here and served on a lab host itself.

with Signer.new() as signer:
    repository = Repository(folder, signer)
    repository.add(Sample("opmas-agent-web", "1.0", conffiles={"/etc/web.conf": "a\n"}))
    repository.publish(host)
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.lab import Host, wait_for

PLACE: Final = "/srv/apt"  # on the host
KEYRING: Final = "/usr/share/keyrings/lab-apt.gpg"
SOURCE: Final = "/etc/apt/sources.list.d/lab.list"
PORT: Final = 8099
AGENT_GONE: Final = 10.0  # seconds
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
CONTROL: Final = """Package: {name}
Version: {version}
Architecture: all
Maintainer: The lab <lab@opmas.invalid>
{more}Description: sample package of the tests
"""


@dataclass(frozen=True)
class Sample:
    """A package to be made: what it holds, by path on the host, and its maintainer scripts."""

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    control: Mapping[str, str] = field(default_factory=dict)  # Depends and the like


class Signer:
    """A key of the test's own; as a context manager, gone at the end with its agent."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @classmethod
    def new(cls) -> Self:
        signer = cls(Path(tempfile.mkdtemp(prefix="gpg")))  # short: it holds a socket
        signer.gpg("--passphrase", "", "--quick-gen-key", "lab <lab@opmas.invalid>", "ed25519")
        return signer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _run("gpgconf", "--homedir", self.home, "--kill", "gpg-agent")
        # the agent takes its sockets away after it has answered
        wait_for(lambda: not list(self.home.glob("S.*")), AGENT_GONE, "the gpg-agent is gone")
        shutil.rmtree(self.home)

    def gpg(self, *argv: str | Path) -> bytes:
        """Run gpg with this key's home."""
        return _run("gpg", "--homedir", self.home, "--batch", "--yes", *argv)


class Repository:
    """Packages and their signed lists, in a folder here."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        self.folder = folder
        self._signer = signer
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, *samples: Sample) -> None:
        """Make the packages; the lists follow with `publish`."""
        for sample in samples:
            build_deb(sample, self.folder)

    def add_file(self, deb: Path) -> None:
        """Take in a package that is made already."""
        shutil.copy(deb, self.folder)

    def remove(self, name: str, version: str) -> None:
        """Take a package out, as a repository does that keeps the newest alone."""
        (self.folder / deb_file(name, version)).unlink()

    def publish(self, host: Host, *, scheme: str = "http") -> None:
        """Make the host have the repository as it is now, and know it; `scheme` http or file."""
        self._sign()
        host.run("rm", "-rf", PLACE)
        host.copy_in(self.folder, PLACE)
        host.run("chmod", "-R", "a+rX", PLACE)
        key = self.folder.with_suffix(".gpg")
        key.write_bytes(self._signer.gpg("--export"))
        host.copy_in(key, KEYRING)
        host.run("chmod", "644", KEYRING)
        base = f"http://127.0.0.1:{PORT}" if scheme == "http" else f"file:{PLACE}"
        host.run("tee", SOURCE, input=f"deb [signed-by={KEYRING}] {base} ./\n")
        if scheme == "http":
            serve(host)

    def _sign(self) -> None:
        for name in ("Packages", "Release", "InRelease"):
            (self.folder / name).unlink(missing_ok=True)
        packages = _run("apt-ftparchive", "packages", ".", cwd=self.folder)
        (self.folder / "Packages").write_bytes(packages)
        suite = "APT::FTPArchive::Release::Suite=lab"
        release = _run("apt-ftparchive", "-o", suite, "release", ".", cwd=self.folder)
        (self.folder / "Release").write_bytes(release)
        self._signer.gpg(
            "--clearsign", "--output", self.folder / "InRelease", self.folder / "Release"
        )


def serve(host: Host) -> None:
    """Have the host serve the repository to itself; it waits until it does."""
    unit = "lab-apt.service"
    if host.run("systemctl", "is-active", unit, check=False).returncode == 0:
        return
    host.run(
        "systemd-run", f"--unit={unit}", "--collect", "-q",
        "/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "-d", PLACE, str(PORT),
    )  # fmt: skip
    host.run("curl", "-sSf", "--retry", "50", "--retry-connrefused", "--retry-delay", "0",
             "--retry-max-time", "10", "-o", "/dev/null", f"http://127.0.0.1:{PORT}/")  # fmt: skip


def deb_file(name: str, version: str) -> str:
    """Return the name of the package's file."""
    return f"{name}_{version.replace(':', '%3a')}_all.deb"


def build_deb(sample: Sample, folder: Path) -> Path:
    """Make the .deb in the folder, with the checksums that debsums reads."""
    target = folder / deb_file(sample.name, sample.version)
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        root.chmod(0o755)
        for path, text in {**sample.files, **sample.conffiles}.items():
            _write(root / path.lstrip("/"), text, 0o755 if "/bin/" in path else 0o644)
        control = root / "DEBIAN"
        more = "".join(f"{key}: {value}\n" for key, value in sample.control.items())
        text = CONTROL.format(name=sample.name, version=sample.version, more=more)
        sums = [_run("md5sum", path.lstrip("/"), cwd=root).decode() for path in sample.files]
        _write(control / "control", text, 0o644)
        _write(control / "md5sums", "".join(sums), 0o644)
        if sample.conffiles:
            _write(control / "conffiles", "".join(f"{path}\n" for path in sample.conffiles), 0o644)
        for name, script in sample.scripts.items():
            _write(control / name, f"#!/bin/sh\nset -e\n{script}\n", 0o755)
        _run("dpkg-deb", "--root-owner-group", "--build", root, target)
    return target


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _run(*argv: str | Path, cwd: Path | None = None) -> bytes:
    done = subprocess.run(
        argv, cwd=cwd, env={**os.environ, **ENVIRONMENT}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
