"""A job tells systemd that it goes on, now and then."""

from pathlib import Path

import pytest

from opmas.work.patience import APART, SILENCE, Patience

UNITS = Path(__file__).parents[3] / "units"


class Supervisor:
    def __init__(self) -> None:
        self.extended: list[float] = []

    def extend_timeout(self, seconds: float) -> None:
        self.extended.append(seconds)


def test_each_sign_of_progress_gives_it_time_and_not_each_is_told() -> None:
    supervisor, now = Supervisor(), [0.0]
    go_on = Patience(supervisor, lambda: now[0])  # type: ignore[arg-type]

    for now[0] in (0.0, 0.1, APART - 0.1, APART, APART + 0.1):
        go_on()

    assert supervisor.extended == [SILENCE, SILENCE]


@pytest.mark.parametrize("unit", ["opmas-package@.service", "opmas-apt@.service"])
def test_the_units_wait_as_long_for_the_first_sign(unit: str) -> None:
    text = (UNITS / unit).read_text()

    assert f"TimeoutStartSec={SILENCE / 60:g}min" in text
    assert "NotifyAccess=main" in text
