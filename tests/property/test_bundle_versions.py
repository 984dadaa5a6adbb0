"""Versions of PEP 440 keep their order as versions of Debian, in dpkg's own judgement."""

from __future__ import annotations

import subprocess

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from opmas.bundles.debversion import debian_version

small = st.integers(0, 12)
tails = st.builds(
    "{}{}{}".format,
    st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from(["a", "b", "rc"]), small)),
    st.one_of(st.just(""), small.map(".post{}".format)),
    st.one_of(st.just(""), small.map(".dev{}".format)),
)
local = st.one_of(st.just(""), st.just("+local"), small.map("+{}".format))
versions = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "1!"]),
    st.lists(small, min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts))),
    tails,
    local,
)


@settings(max_examples=300, deadline=None)
@given(versions, versions)
def test_dpkg_sorts_them_alike(one: str, other: str) -> None:
    mine, theirs = Version(one), Version(other)
    # 1.0 and 1.0.0 are one version only for PEP 440; it says so in opmas.bundles.debversion
    padded = [tuple(each.release) + (0,) * (3 - len(each.release)) for each in (mine, theirs)]
    assume(mine.release == theirs.release or padded[0] != padded[1])

    relation = "lt" if mine < theirs else "gt" if mine > theirs else "eq"
    done = subprocess.run(
        ["dpkg", "--compare-versions", debian_version(one), relation, debian_version(other)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
