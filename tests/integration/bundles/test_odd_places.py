"""Bundles from a place that others may write, and wheels with odd things in odd places."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from opmas.bundles.installation import install, verify_installed
from opmas.bundles.manifest import MANIFEST
from opmas.errors import InvalidError
from tests.unit.bundles.material import (
    CACHE,
    listing,
    make_bundle,
    make_place,
    members_of,
    pack,
    signed,
    zip_bytes,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("which", ["the bundle", "its directory"])
@pytest.mark.parametrize("mode", [0o777, 0o666])
def test_what_others_may_write_was_delivered_by_nobody(
    tmp_path: Path, which: str, mode: int
) -> None:
    bundle = make_bundle(tmp_path, key=None)
    (bundle if which == "the bundle" else bundle.parent).chmod(mode)

    with pytest.raises(InvalidError, match="everyone may write it"):
        install(bundle, place=make_place(tmp_path), delivered_by="deb:opmas-agent-web")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_else_in_the_place_of_bytecode(tmp_path: Path, what: str) -> None:
    there = f"__pycache__/web.{CACHE}.pyc/x" if what == "folder" else "__pycache__"
    bundle = make_bundle(tmp_path)
    found = members_of(bundle.read_bytes())
    own = next(path for path in found if path.startswith("wheels/"))
    with zipfile.ZipFile(io.BytesIO(found[own])) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    record = next(name for name in files if name.endswith("/RECORD"))
    del files[record]
    found[own] = zip_bytes({**files, there: "odd"}, record=record)
    bundle.write_bytes(pack(signed({**found, MANIFEST: listing(found)})))

    installed = install(bundle, place=make_place(tmp_path))

    assert installed.fresh
    assert verify_installed(tmp_path / "packages" / "web" / "1.0.0") == ()
