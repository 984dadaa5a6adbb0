"""Calls, and what it means when systemd refuses one."""

from typing import Any

import pytest

from opmas.systemd.bus import BusError
from opmas.systemd.calls import CALLS, REASONS, perform, reason_of, set_properties_arguments
from opmas.systemd.client import SystemdUnits

LIMITS = {"MemoryMax": 64}


class RecordingBus:
    """Answers every call alike and keeps what it was."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def call(self, *call: object) -> object:
        self.calls.append(call)
        return self.answer


class RefusingBus:
    """Refuses every call alike."""

    def __init__(self, name: str) -> None:
        self.name = name

    def call(self, *_: object) -> object:
        raise BusError(self.name, "no")


@pytest.mark.parametrize(
    ("call", "method"),
    [("start", b"StartUnit"), ("stop", b"StopUnit"), ("restart", b"RestartUnit")],
)
def test_a_job_is_known_by_the_number_in_its_path(call: str, method: bytes) -> None:
    bus = RecordingBus(b"/org/freedesktop/systemd1/job/83")

    job = perform(bus, call, "opmas-agent@web.service", [])  # type: ignore[arg-type]

    assert job == 83
    assert bus.calls == [(method, b"ss", b"opmas-agent@web.service", b"replace")]


def test_limits_are_laid_out_as_variants_in_structures_in_an_array() -> None:
    laid = set_properties_arguments(b"web.service", LIMITS)

    assert laid == [
        (ord("s"), b"web.service"),
        (ord("b"), True),
        (ord("a"), b"(sv)"),
        (ord("r"), b"sv"),
        (ord("s"), b"MemoryMax"),
        (ord("v"), b"t"),
        (ord("t"), 64),
        (-1, None),
        (-1, None),
        (-1, None),
    ]


def test_an_unknown_limit_is_refused_before_systemd_is_asked() -> None:
    with pytest.raises(BusError, match="Environment is none of CPUQuotaPerSecUSec"):
        set_properties_arguments(b"web.service", {"Environment": 1})


@pytest.mark.parametrize("name", ["DBusNoSuchUnitError", "org.freedesktop.systemd1.NoSuchUnit"])
def test_the_failure_of_a_unit_that_is_not_loaded_is_forgotten_already(name: str) -> None:
    perform(RefusingBus(name), "reset_failed", "web.service", [])  # type: ignore[arg-type]


def test_any_other_refusal_to_forget_a_failure_is_told() -> None:
    bus = RefusingBus("DBusAccessDeniedError")

    with pytest.raises(BusError):
        perform(bus, "reset_failed", "web.service", [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BusError("org.freedesktop.systemd1.UnitMasked", ""), "masked"),
        (BusError("DBusNoReplyError", "", lost=True), "timeout"),
        (BusError("DBusBaseError", "", lost=True), "unavailable"),
        (BusError("org.freedesktop.systemd1.NothingToClean", ""), "refused"),
    ],
)
def test_an_error_has_a_reason_from_a_closed_list(error: BusError, reason: str) -> None:
    assert reason_of(error) == reason


def test_every_reason_is_one_that_callers_know() -> None:
    known = {"no-such-unit", "masked", "bad-setting", "busy", "timeout", "unavailable"}

    assert set(REASONS.values()) == known


def test_each_call_of_the_table_is_one_of_the_port() -> None:
    unasked = [name for name in CALLS if not hasattr(SystemdUnits, name)]
    assert unasked == ["is_cleaning"], "which `clean` asks until it is over"
