"""Who may change an agent package: nobody but those whom the manager obeys anyway.

Whoever can write a package's manifest or code decides what runs with what an admin granted, and
by a link in the place of a file has the manager read for them what they may not read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from opmas.errors import InvalidError


def check_owner(*paths: Path) -> None:
    """Raise `InvalidError` when a stranger may write one of the paths."""
    code = Path(__file__).stat()  # whoever owns the manager's own code is no stranger
    users = {0, os.geteuid(), code.st_uid}
    groups = {0, os.getegid(), code.st_gid}
    for path in paths:
        try:
            found = path.stat()
        except OSError as error:
            raise InvalidError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
        strangers = _strangers(found, users, groups)
        if strangers:
            mend = "chown -R root:root and chmod -R go-w what holds agent packages"
            raise InvalidError(
                f"cannot use {path}: {strangers} may write it",
                (f"{path}: {strangers} may write it, and so change what runs: {mend}",),
            )


def _strangers(found: os.stat_result, users: set[int], groups: set[int]) -> str:
    if found.st_uid not in users:
        return f"user {found.st_uid}"
    if found.st_mode & stat.S_IWOTH:
        return "everyone"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in groups:
        return f"group {found.st_gid}"
    return ""
