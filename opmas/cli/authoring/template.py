"""The files of a new agent package, from the templates beside this file.

A template's text has `@name@` and the like where the package's own words belong.
"""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opmas.version import VERSION

TEMPLATES: Final = Path(__file__).with_name("templates")
RUNTIMES: Final = ("python", "exec")
# The template of each file by its place in the package; what is executed ends in "*".
FILES: Final = {
    "python": {
        "agent.yaml": "agent.yaml",
        "@module@/__init__.py": "agent.py",
        "tests/test_@module@.py": "test.py",
        "README.md": "README.md",
        ".gitignore": "gitignore",
    },
    "exec": {
        "agent.yaml": "agent.yaml",
        "bin/@name@*": "program",
        "bin/check*": "check",
        "tests/test_@module@.py": "test.py",
        "README.md": "README.md",
        ".gitignore": "gitignore",
    },
}
# A module of such a name would hide another one, or be none.
_TAKEN: Final = {*sys.stdlib_module_names, *keyword.kwlist, "opmas", "tests", "pytest"}


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file of the new package."""

    path: str
    text: str
    executable: bool


def package_files(name: str, runtime: str) -> list[NewFile]:
    """Return the files of a new package."""
    words = package_words(name)
    return [
        NewFile(
            _filled(path.removesuffix("*"), words),
            _filled((TEMPLATES / runtime / f"{source}.in").read_text(encoding="utf-8"), words),
            path.endswith("*"),
        )
        for path, source in FILES[runtime].items()
    ]


def package_words(name: str) -> dict[str, str]:
    """Return what stands for each `@word@` in the package of that name."""
    plain = name.replace("-", "_")
    fits = not plain[0].isdigit() and plain not in _TAKEN
    module = plain if fits else f"agent_{plain}"
    return {
        "name": name,
        "module": module,
        "class": "".join(part.capitalize() for part in module.split("_")),
        "metric": module,
        "opmas": VERSION,
    }


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(rf"@({'|'.join(words)})@", lambda found: words[found[1]], text)
