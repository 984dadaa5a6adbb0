"""What a temperature can be."""

import pytest

from opmas.agents.hostwatch.hostwatch.sensors import parse_temperature


def test_a_temperature_is_read_in_degrees():
    assert parse_temperature("41850\n") == 41.85


def test_a_cold_one_is_below_zero():
    assert parse_temperature("-5000") == -5.0


@pytest.mark.parametrize("text", ["", "0\n", "-273200", "-128000", "255000", "N/A", "41.8"])
def test_a_sensor_that_is_not_wired_has_none(text):
    assert parse_temperature(text) is None
