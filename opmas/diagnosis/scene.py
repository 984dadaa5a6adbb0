"""What a diagnosis is of: a host, its settings, and what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from opmas.core.documents.settings import Settings

READ_LIMIT: Final = 256 * 1024  # bytes of one file


@dataclass(frozen=True, slots=True)
class Scene:
    """The host; its files are below `root`."""

    root: Path
    settings: Settings
    config_dir: str
    socket: str
    environ: Mapping[str, str]
    since: datetime
    names: tuple[str, ...] = ()  # agents of whom everything is wanted
    is_root: bool = True

    def path(self, absolute: str) -> Path:
        """Return where the host's file is."""
        return self.root / absolute.lstrip("/")

    @property
    def state(self) -> Path:
        """The manager's state directory."""
        return self.path(self.settings.manager.state_dir)

    def read(self, absolute: str | Path, limit: int = READ_LIMIT) -> str:
        """Return a file's text, whole lines of it when it is long. Raises OSError."""
        path = self.path(absolute) if isinstance(absolute, str) else absolute
        return read_text(path, limit)


def read_text(path: Path, limit: int = READ_LIMIT) -> str:
    """Return the text of a file, whole lines of it when it is long. Raises OSError."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    text = content.decode(errors="backslashreplace")
    return text if len(content) <= limit else text[:limit].rpartition("\n")[0] + "\n"
