"""A wheel against its own metadata and this host, and wheels against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from opmas.bundles.host import Host, this_host
from opmas.bundles.requirements import check_requirements
from opmas.bundles.selection import select_wheels
from opmas.bundles.wheels import Wheel, parse_name, read_wheel
from opmas.errors import BundleError, UnfitWheelError, UnmetRequirementError
from tests.unit.bundles.material import CP, make_wheel, zip_bytes

if TYPE_CHECKING:
    from pathlib import Path

HOST = this_host()
INFO = "lib-1.0.dist-info"


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        (f"{CP}-{CP}-linux_x86_64", True),
        ("cp36-abi3-manylinux_2_12_x86_64.manylinux2010_x86_64", True),
        (f"{CP}-{CP}-manylinux_2_17_x86_64", True),
        ("cp399-cp399-manylinux_2_17_x86_64", False),
        ("cp399-abi3-manylinux_2_17_x86_64", False),
        (f"{CP}-{CP}-manylinux_2_99_x86_64", False),
        (f"{CP}-{CP}-musllinux_1_1_x86_64", False),
        (f"{CP}-{CP}-manylinux_2_17_s390x", False),
        ("py2-none-any", False),
    ],
)
def test_tags_decide(tag: str, fits: bool) -> None:
    host = replace(HOST, tags={**HOST.tags})

    assert (parse_name(f"lib-1.0-{tag}.whl").rank(host) is not None) is fits


@pytest.mark.parametrize("name", ["lib.whl", "lib-1.0.whl", "lib-x!-py3-none-any.whl", "a-b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UnfitWheelError):
        parse_name(name)


def test_a_good_wheel_is_read(tmp_path: Path) -> None:
    wheel = read_wheel(make_wheel(tmp_path, requires=["other>=1; python_version>'3'"]), HOST)

    assert wheel.name.distribution == "lib"
    assert [str(each) for each in wheel.requirements] == ['other>=1; python_version > "3"']
    assert (wheel.files, wheel.sources) == (4, len("x = 1\n"))


GOOD = {
    "lib.py": "",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\n",
}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({f"{INFO}/WHEEL": "Wheel-Version: 2.0\n"}, "unfit-wheel"),
        ({f"{INFO}/WHEEL": ""}, "unfit-wheel"),
        ({f"{INFO}/WHEEL": b"\xff"}, "unfit-wheel"),
        ({f"{INFO}/METADATA": "Name: other\n"}, "unfit-wheel"),
        ({f"{INFO}/METADATA": "Name: lib\nRequires-Dist: ???\n"}, "unfit-wheel"),
        ({f"{INFO}/METADATA": "Name: lib\nRequires-Python: >=9\n"}, "unfit-python"),
        ({"other-1.0.dist-info/METADATA": ""}, "unfit-wheel"),
        ({f"{INFO}/METADATA": "Name: lib\n" + "X: 1\n" * 30_000}, "bundle-too-large"),
        ({f"{INFO}/METADATA": "Name: lib\n\n" + "x" * 2**20}, "bundle-too-large"),
        ({f"{INFO}/entry_points.txt": "x" * 2**18}, "bundle-too-large"),
        ({f"{INFO}/WHEEL": "x" * 2**18}, "bundle-too-large"),
        ({f"{INFO}/RECORD": ",,\n" * 50_000}, "bundle-too-large"),
        ({f"{INFO}/RECORD": ""}, "unfit-wheel"),
        ({f"{INFO}/RECORD": "a,b\n"}, "unfit-wheel"),
        ({f"{INFO}/RECORD": "lib.py,,\n"}, "unfit-wheel"),
    ],
)
def test_metadata_that_is_wrong(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    path = tmp_path / "lib-1.0-py3-none-any.whl"
    record = "" if f"{INFO}/RECORD" in changes else f"{INFO}/RECORD"
    path.write_bytes(zip_bytes({**GOOD, **changes}, record=record))

    with pytest.raises(BundleError) as caught:
        read_wheel(path, HOST)

    assert caught.value.code == code


def test_a_long_readme_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "lib-1.0-py3-none-any.whl"
    metadata = "Name: lib\nRequires-Dist: other\n\nRequires-Dist: no header\n" + "x" * 500_000
    path.write_bytes(zip_bytes({**GOOD, f"{INFO}/METADATA": metadata}, record=f"{INFO}/RECORD"))

    assert [str(each) for each in read_wheel(path, HOST).requirements] == ["other"]


@pytest.mark.parametrize("missing", [f"{INFO}/METADATA", f"{INFO}/WHEEL"])
def test_metadata_that_is_missing(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "lib-1.0-py3-none-any.whl"
    files = {name: text for name, text in GOOD.items() if name != missing}
    path.write_bytes(zip_bytes(files, record=f"{INFO}/RECORD"))

    with pytest.raises(UnfitWheelError, match="it has no"):
        read_wheel(path, HOST)


def wheels(folder: Path, needs: dict[str, list[str]]) -> list[Wheel]:
    """Wheels of version 1.0 by name, with what each one requires."""
    made = [make_wheel(folder, name, requires=needs[name]) for name in needs]
    return [read_wheel(path, HOST) for path in made]


@pytest.mark.parametrize(
    "needs",
    [
        {"a": ["b"], "b": []},
        {"a": ["Some.Lib>=1.0,<2"], "some-lib": []},
        {"a": ["b; python_version<'3'"]},
        {"a": ["b; extra=='more'"]},
        {"a": ["sdnotify", "opmas-agent", "OPMAS>=0.1"]},
        {"a": ["b[more]"], "b": ["c; extra=='more'", "d; extra=='other'"], "c": []},
        {"a": ["b"], "b": ["a"]},
    ],
)
def test_requirements_that_are_met(tmp_path: Path, needs: dict[str, list[str]]) -> None:
    check_requirements(wheels(tmp_path, needs), HOST)


@pytest.mark.parametrize(
    ("needs", "unmet"),
    [
        ({"a": ["b"]}, ["a: b"]),
        ({"a": ["b>1"], "b": []}, ["a: b>1"]),
        ({"a": ["b[more]"], "b": ["c; extra=='more'"]}, ['b: c; extra == "more"']),
        ({"a": ["b[x]", "b[y]"], "b": ["c; extra=='y'"]}, ['b: c; extra == "y"']),
        ({"a": ["opmas>=99", "x"]}, ["a: opmas>=99", "a: x"]),
    ],
)
def test_all_that_is_unmet_is_named(
    tmp_path: Path, needs: dict[str, list[str]], unmet: list[str]
) -> None:
    with pytest.raises(UnmetRequirementError) as caught:
        check_requirements(wheels(tmp_path, needs), HOST)

    assert list(caught.value.problems) == unmet


def test_a_marker_that_means_nothing(tmp_path: Path) -> None:
    found = wheels(tmp_path, {"a": ["b; python_version ~= 'x'"]})

    with pytest.raises(UnfitWheelError, match="means nothing"):
        check_requirements(found, HOST)


def chosen(folder: Path, needs: list[str], host: Host = HOST) -> list[str]:
    found = select_wheels("web", [Requirement(each) for each in needs], folder, host)
    return sorted(wheel.name.file.partition("-py3")[0] for wheel in found)


def test_the_newest_version_that_all_accept_is_chosen(tmp_path: Path) -> None:
    for version in ("1.0", "1.5", "2.0", "3.0rc1"):
        make_wheel(tmp_path, "lib", version)
    make_wheel(tmp_path, "user", requires=["lib<2"])

    assert chosen(tmp_path, ["lib"]) == ["lib-2.0"]
    assert chosen(tmp_path, ["lib", "user"]) == ["lib-1.5", "user-1.0"]
    assert chosen(tmp_path, ["lib>2"]) == ["lib-3.0rc1"]


def test_what_only_a_version_given_up_needed_is_left_out(tmp_path: Path) -> None:
    make_wheel(tmp_path, "lib", "2.0", requires=["gone"])
    make_wheel(tmp_path, "lib", "1.0")
    make_wheel(tmp_path, "gone")
    make_wheel(tmp_path, "user", requires=["lib<2"])

    assert chosen(tmp_path, ["lib", "user"]) == ["lib-1.0", "user-1.0"]


def test_the_wheel_that_fits_best_is_chosen_and_others_are_passed_over(tmp_path: Path) -> None:
    make_wheel(tmp_path, "lib", tag="py3-none-any")
    best = make_wheel(tmp_path, "lib", tag=f"{CP}-{CP}-linux_x86_64")
    make_wheel(tmp_path, "lib", "9.0", tag="cp27-cp27m-win32")
    (tmp_path / "nonsense.whl").write_text("")

    (found,) = select_wheels("web", [Requirement("lib")], tmp_path, HOST)

    assert found.path == best


def test_extras_bring_their_requirements(tmp_path: Path) -> None:
    make_wheel(tmp_path, "lib", requires=["c; extra=='more'", "d; extra=='other'"])
    make_wheel(tmp_path, "c")

    assert chosen(tmp_path, ["lib[more]"]) == ["c-1.0", "lib-1.0"]


def test_what_no_wheel_satisfies_is_named_with_who_wants_it(tmp_path: Path) -> None:
    make_wheel(tmp_path, "lib", requires=["gone>=2"])

    with pytest.raises(UnmetRequirementError) as caught:
        chosen(tmp_path, ["lib", "nowhere", "sdnotify"])

    assert caught.value.problems == ("web: nowhere", "lib: gone>=2")
