"""What a drop-in says of systemd's own restarts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from opmas.core.agent.lifecycle import SETTLE
from opmas.core.recovery.policy import Policy, Recovery
from opmas.core.unit.file import render_dropin
from opmas.core.unit.syntax import parse_unit
from tests.builders import spec
from tests.unit.core.manifests import PLACE, python_manifest

TEMPLATE = (Path(__file__).parents[4] / "units" / "opmas-agent@.service").read_text()


def settings(place, own=None, **document):
    subject = spec() if own is None else spec(recovery=own)
    text = render_dropin(subject, python_manifest(**document), place)
    return [(s.key, s.values) for s in parse_unit(text) if s.key.startswith("Restart")]


def test_nothing_is_said_where_the_template_says_it_all():
    assert settings(PLACE) == []
    assert settings(replace(PLACE, systemd=253)) == []


@pytest.mark.parametrize("version", [254, 257])
def test_a_newer_systemd_lets_its_pauses_grow(version):
    found = settings(replace(PLACE, systemd=version))

    assert found == [("RestartSteps", ("4",)), ("RestartMaxDelaySec", ("3",))]


def test_with_growing_pauses_the_start_limit_is_still_reached():
    (interval,) = re.findall(r"^StartLimitIntervalSec=(\d+)$", TEMPLATE, re.MULTILINE)
    (burst,) = re.findall(r"^StartLimitBurst=(\d+)$", TEMPLATE, re.MULTILINE)
    steps, most, least = 4, 3.0, 0.1

    pauses = [least * (most / least) ** (n / steps) for n in range(int(burst))]

    assert least < SETTLE
    assert sum(pauses) < float(interval) / 2


def test_the_statuses_of_the_policy_are_systemds_too():
    reset = ("RestartPreventExitStatus", ())

    of_agent = settings(PLACE, Recovery(give_up_on=(2, 78)))
    of_package = settings(PLACE, recovery={"give_up_on": [3]})
    of_host = settings(replace(PLACE, policy=Policy(give_up_on=())))

    assert of_agent == [reset, ("RestartPreventExitStatus", ("2", "78"))]
    assert of_package == [reset, ("RestartPreventExitStatus", ("3",))]
    assert of_host == [reset]
