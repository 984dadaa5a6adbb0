"""The pressure on a host, from samples of the kernel's files."""

from __future__ import annotations

import pytest

from opmas.host.pressure import Pressure, read_pressure

SAMPLE = "some avg10={} avg60=15.05 avg300=9.30 total=4076944570\nfull avg10=0.50 avg60=0.00\n"


def test_the_pressure_is_that_of_some_process_in_ten_seconds(tmp_path):
    for name, figure in (("cpu", "12.50"), ("memory", "0.00"), ("io", "3.18")):
        (tmp_path / name).write_text(SAMPLE.format(figure))

    assert read_pressure(tmp_path) == Pressure(cpu=12.5, memory=0.0, io=3.18)


@pytest.mark.parametrize("text", ["", "full avg10=1.00\n", "some avg10=much\n", "some total=1\n"])
def test_what_the_kernel_does_not_tell_is_unknown(tmp_path, text):
    (tmp_path / "cpu").write_text(text)

    assert read_pressure(tmp_path) == Pressure()


def test_a_kernel_without_it_tells_nothing(tmp_path):
    assert read_pressure(tmp_path / "pressure") == Pressure()
