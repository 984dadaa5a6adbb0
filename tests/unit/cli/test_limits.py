"""`opmas agent limits`, as people see it."""

from __future__ import annotations

from typing import Any

from opmas.cli.limits import render_limits
from tests.unit.cli.builders import view

MIB = 1 << 20


def limits(name: str = "web", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "mode": "propose",
        "limits": {"memory_max": 256 * MIB, "tasks_max": 64, "cpu_quota": 100},
        "limits_origin": {"memory_max": "ceiling", "tasks_max": "template", "cpu_quota": "agent"},
        "limits_cut": {"memory_max": 512 * MIB},
        "used": {"memory_bytes": 40 * MIB, "tasks": 3},
        "learned": {
            "hours": 30.0, "enough": True, "memory_bytes": 50 * MIB, "tasks": 4, "cpu_percent": 12,
        },
        "proposed": {"memory_max": 72 * MIB},
        "signs": [],
        **changes,
    }  # fmt: skip


def test_a_line_for_each_limit_says_who_set_it_and_what_would_fit():
    lines = render_limits({"agents": [limits()]}, view()).split("\n")

    assert lines == [
        "AGENT  LIMIT       IS    SET BY                   USED  P99  PROPOSED",
        "web    memory_max  256M  ceiling, asked for 512M  40M   50M  72M",
        "       tasks_max   64    template                 3     4",
        "       cpu_quota   100%  agent                          12%",
        "what is proposed is set with: opmas agent limits NAME --apply",
    ]


def test_agents_that_are_new_are_named():
    new = {"hours": 1, "enough": False, "memory_bytes": None, "tasks": None, "cpu_percent": None}

    text = render_limits({"agents": [limits(learned=new, proposed={})]}, view())

    assert text.endswith("not watched for long enough yet: web")


def test_no_agents_are_said():
    assert render_limits({"agents": []}, view()) == "no agents yet"
