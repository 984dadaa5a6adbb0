"""The guard on its way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opmas.rescue import dpkg, watch
from opmas.rescue.documents import write_document
from opmas.rescue.places import Places

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_nothing_is_touched_while_dpkg_does_not_say_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(*(tmp_path / name for name in ("state", "run", "units", "etc")))
    kept = places.guard / "0.3.0"
    kept.mkdir(parents=True)
    (kept / "opmas-manager.deb").touch()
    write_document(kept / "kept.json", {"debs": {"opmas-manager": "opmas-manager.deb"}})
    running = tmp_path / "trees" / "0.4.0"
    running.mkdir(parents=True)
    monkeypatch.setattr(watch, "TREES", tmp_path / "trees")
    monkeypatch.setattr(watch, "call", lambda *_, **__: (0, ""))
    monkeypatch.setattr(dpkg, "packages", dict)

    restored, wrong = watch.Guard(places)._install("0.3.0", "0.4.0")

    assert (restored, wrong) == ("", "dpkg does not say what is installed")
    assert running.exists()
