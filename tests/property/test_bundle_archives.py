"""No input writes outside its staging directory, ends the worker or goes on for ever."""

from __future__ import annotations

import struct
import tempfile
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opmas.bundles.archive import Archive
from opmas.bundles.installation import Place, install
from opmas.bundles.manifest import MANIFEST, SIGNATURE
from opmas.errors import BundleError, InvalidError, RequestError
from tests.unit.bundles.material import (
    archive,
    header,
    listing,
    make_bundle,
    make_wheel,
    member,
    members_of,
    pack,
    zip_bytes,
)

TRIES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LIB = "wheels/lib-1.0-py3-none-any.whl"


@cache
def good() -> bytes:
    """An unsigned bundle with two wheels; where unsigned ones are allowed, all code is reached."""
    with tempfile.TemporaryDirectory() as folder:
        make_wheel(Path(folder) / "wheels", files={"lib/__init__.py": "x = 1\n", "lib/d": "1"})
        return make_bundle(Path(folder), key=None, requirements=["lib"]).read_bytes()


def survive(content: bytes) -> str:
    """Install it, and return what came of it; nothing may appear beside the place's own files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "in" / "x.opmas"
        path.parent.mkdir()
        path.write_bytes(content)
        root = folder / "deep" / "er" / "packages"
        try:
            install(path, place=Place(root, folder / "keys", allow_unsigned=True))
            code = "installed"
        except (BundleError, InvalidError, RequestError) as error:
            code = error.code
        outside = {found for found in folder.rglob("*") if not found.is_relative_to(root)}
        assert outside - {root.parent, root.parents[1]} == {path.parent, path}
        inside = {found.name for found in root.glob("*")} - {".staging"}
        assert inside == ({"web"} if code == "installed" else set())
        assert list(root.glob(".staging/*")) == []
        return code


def test_the_good_one_is_installed() -> None:
    assert survive(good()) == "installed"


cuts = st.integers(0, len(good()))


@TRIES
@given(st.lists(st.tuples(cuts, st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_overwritten_bytes(places: list[tuple[int, bytes]]) -> None:
    content = bytearray(good())
    for offset, new in places:
        content[offset : offset + len(new)] = new

    survive(bytes(content))


@TRIES
@given(cuts, cuts, st.integers(0, 3))
def test_pieces_that_are_missing_or_there_again(one: int, other: int, times: int) -> None:
    begin, end = sorted((one, other))
    content = good()

    survive(content[:begin] + content[begin:end] * times + content[end:])


@TRIES
@given(st.permutations(range(4)), st.integers(0, 4))
def test_members_in_any_order(order: list[int], count: int) -> None:
    parts = [member(name, text) for name, text in members_of(good()).items()]

    code = survive(archive(*(parts[index] for index in order[:count])))

    assert (code == "installed") == (order[:count] == [0, 1, 2, 3])


@TRIES
@given(st.binary(max_size=2000))
def test_what_is_no_archive(content: bytes) -> None:
    assert survive(content) != "installed"


names = st.one_of(
    st.text(st.characters(codec="latin-1"), min_size=1, max_size=90),
    st.sampled_from([MANIFEST, SIGNATURE, "agent.yaml", LIB, "../x", "/x", "wheels/../../x"]),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.binary(min_size=1, max_size=1),
        "mode": st.integers(0, 0o7777777),
        "uid": st.integers(0, 0o7777777),
        "mtime": st.integers(0, 2**33 - 1),
        "linkname": st.text(st.characters(codec="ascii"), max_size=99),
        "uname": st.text(st.characters(codec="ascii"), max_size=31),
    },
)


@TRIES
@given(names, st.integers(0, 8 * 2**30 - 1), fields, st.integers(0, 4))
def test_headers_that_are_well_formed_and_wrong(
    name: str, size: int, more: dict[str, object], position: int
) -> None:
    parts = [member(path, text) for path, text in members_of(good()).items()]
    try:
        parts.insert(position, header(name, size, **more))
    except (ValueError, UnicodeEncodeError):  # not to be said in ustar
        return

    assert survive(archive(*parts)) != "installed"


@TRIES
@given(st.binary(min_size=512, max_size=512))
def test_a_header_of_any_bytes_is_refused_or_plain(block: bytes) -> None:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(block)
        file.seek(0)
        try:
            found = Archive(file, "x").next()
        except BundleError:
            return
    assert found is None or found.size == 0


@TRIES
@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), max_size=4))
def test_a_listed_wheel_of_any_kind(places: list[tuple[int, bytes]]) -> None:
    files = members_of(good())
    wheel = bytearray(files[LIB])
    for offset, new in places:
        place = offset % len(wheel)
        wheel[place : place + len(new)] = new
    files[LIB] = bytes(wheel)
    files[MANIFEST] = listing(files)

    survive(pack(files))


INFO = "lib-1.0.dist-info"
paths = st.one_of(
    st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()),
    st.lists(st.sampled_from(["a", "b", "..", "", ".", "lib-1.0.data", "purelib", "x.py"]))
    .map("/".join)
    .filter(bool),
)


@TRIES
@given(st.dictionaries(paths, st.binary(max_size=30), max_size=5), st.sampled_from([0, 0o120777]))
def test_a_listed_wheel_with_any_members(content: dict[str, bytes], mode: int) -> None:
    files = members_of(good())
    metadata = {
        f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    wheel = zip_bytes({**content, **metadata}, record=f"{INFO}/RECORD")
    if mode and content:
        entry = wheel.index(b"PK\1\2")
        attributes = struct.pack("<L", mode << 16 & 0xFFFFFFFF)
        wheel = wheel[: entry + 38] + attributes + wheel[entry + 42 :]
    files[LIB] = wheel
    files[MANIFEST] = listing(files)

    code = survive(pack(files))

    assert code != "installed" or not (mode and content)


@TRIES
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_a_listed_agent_yaml_of_any_kind(text: bytes) -> None:
    files = members_of(good())
    files["agent.yaml"] = text or b"x"
    files[MANIFEST] = listing(files)

    assert survive(pack(files)) != "installed"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=12), below),
    max_leaves=12,
)
keys = st.sampled_from(["api", "name", "version", "files", "agent_yaml", "architectures", "x"])


@TRIES
@given(values, keys)
def test_a_manifest_with_any_value(value: object, key: str) -> None:
    files = members_of(good())
    files[MANIFEST] = listing(files, **{key: value})

    survive(pack(files))
