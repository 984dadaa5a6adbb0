"""Object paths of units, as systemd writes them."""

import pytest

from opmas.systemd.paths import AGENT_PATHS, path_unit, unit_path

# Taken from systemd 252 on Debian 12.
KNOWN = [
    ("opmas-agent@a.service", b"/org/freedesktop/systemd1/unit/opmas_2dagent_40a_2eservice"),
    ("-.slice", b"/org/freedesktop/systemd1/unit/_2d_2eslice"),
    ("dpkg-db-backup.timer", b"/org/freedesktop/systemd1/unit/dpkg_2ddb_2dbackup_2etimer"),
    ("e2scrub_all.timer", b"/org/freedesktop/systemd1/unit/e2scrub_5fall_2etimer"),
    ("9p.mount", b"/org/freedesktop/systemd1/unit/_39p_2emount"),
]


@pytest.mark.parametrize(("unit", "path"), KNOWN)
def test_a_unit_has_the_path_that_systemd_gives_it(unit: str, path: bytes) -> None:
    assert unit_path(unit) == path
    assert path_unit(path) == unit


def test_the_units_of_agents_begin_alike() -> None:
    assert unit_path("opmas-agent@web-2.service").startswith(AGENT_PATHS)
    assert not unit_path("opmas-agents.slice").startswith(AGENT_PATHS)
