"""Where the code of an agent package is found: `module:name` below the package's directory."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing costs 0.7 MB in every agent
if TYPE_CHECKING:
    from typing import Any

SITE = ".opmas/site"  # the libraries that were installed with the package


class EntryError(Exception):
    """The name leads nowhere; `bug` is what the package's own code raised, if it did."""

    def __init__(self, message: str, bug: Exception | None = None) -> None:
        super().__init__(message)
        self.bug = bug


def load_entry(path: str, entry: str) -> Any:
    """Return what `module:name` names, or None when the module has no such name.

    The module is looked for below `path` first, then among the package's libraries, then where
    Python looks by itself. Raises `EntryError`.
    """
    module_name, _, name = entry.partition(":")
    if path:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs 0.5 MB
            raise EntryError(f"cannot run {entry}: {path} is no directory")
        site = f"{path}/{SITE}"
        sys.path[:0] = [path, site] if os.path.isdir(site) else [path]  # noqa: PTH112
    try:
        __import__(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            where = path or "."
            raise EntryError(f"cannot run {entry}: no module {error.name!r} in {where}") from None
        raise _broken(entry, error) from error
    except Exception as error:
        raise _broken(entry, error) from error
    return getattr(sys.modules[module_name], name, None)


def _broken(entry: str, error: Exception) -> EntryError:
    return EntryError(f"cannot import {entry}: {type(error).__name__}: {error}", error)
