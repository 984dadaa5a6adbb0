"""A .deb made of an installed package, for when nobody has kept the one that it came from.

What was edited of the configuration is left out: packed, it would pass for the package's own, and
the next upgrade would overwrite it. dpkg leaves a file alone that a .deb does not bring any more.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

from opmas.rescue import dpkg
from opmas.rescue.systemd import call

BUILD_LIMIT: Final = 120.0
# What dpkg adds when it installs; the rest is as the package brought it.
ADDED: Final = ("Status", "Conffiles", "Config-Version")
CONFFILE: Final = re.compile(r" (/.*) ([0-9a-f]{32}|newconffile)( .*)?")


def repack(name: str, tree: Path, target: Path) -> str:
    """Make the .deb of the installed package, in the empty directory `tree`; what went wrong."""
    text = dpkg.stanza(name)
    control, conffiles = split_stanza(text)
    if not control:
        return f"dpkg does not know {name}"
    try:
        left_out = {path for path, digest in conffiles.items() if not _is_unedited(path, digest)}
        _write_control(name, tree / "DEBIAN", control, set(conffiles) - left_out)
        _copy_files([path for path in dpkg.files_of(name) if path not in left_out], tree)
    except OSError as error:
        return f"{name}: {error}"
    # the quickest that every dpkg reads; the .deb is for some minutes
    options = ("-Zgzip", "-z1", "--root-owner-group")
    code, said = call(
        dpkg.DPKG_DEB, *options, "--build", str(tree), str(target), limit=BUILD_LIMIT
    )
    return said.strip() if code else ""


def split_stanza(text: str) -> tuple[str, dict[str, str]]:
    """Return the control file in dpkg's stanza, and its configuration files with their MD5."""
    kept, conffiles, field = [], {}, ""
    for line in text.splitlines():
        if not line.startswith(" "):
            field = line.partition(":")[0]
        elif field == "Conffiles" and (row := CONFFILE.fullmatch(line)) and not row[3]:
            conffiles[row[1]] = row[2]
        if field not in ADDED and line.strip():
            kept.append(line)
    return "".join(f"{line}\n" for line in kept), conffiles


def _is_unedited(path: str, digest: str) -> bool:
    try:
        return hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest() == digest
    except OSError:
        return False


def _write_control(name: str, folder: Path, control: str, conffiles: set[str]) -> None:
    folder.mkdir(mode=0o755, parents=True)
    (folder / "control").write_text(control, encoding="utf-8")
    for path in dpkg.control_files(name):
        part = path.name.rpartition(".")[2]
        if part in {"list", "conffiles"}:  # dpkg's own, and what follows
            continue
        shutil.copyfile(path, folder / part)
        is_script = part in {"preinst", "postinst", "prerm", "postrm", "config"}
        (folder / part).chmod(0o755 if is_script else 0o644)
    if conffiles:
        lines = "".join(f"{path}\n" for path in sorted(conffiles))
        (folder / "conffiles").write_text(lines, encoding="utf-8")


def _copy_files(paths: list[str], tree: Path) -> None:
    above = {str(parent) for path in paths for parent in Path(path).parents}
    for path in sorted(paths):
        source, target = Path(path), tree / path.lstrip("/")
        found = source.lstat()
        # /lib is a link to usr/lib, and a directory in the package
        if stat.S_ISDIR(found.st_mode) or path in above:
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.chmod(source.stat().st_mode & 0o7777)
        elif stat.S_ISLNK(found.st_mode):
            target.symlink_to(os.readlink(source))  # noqa: PTH115 -- the text, as it stands
        else:
            shutil.copy2(source, target)
