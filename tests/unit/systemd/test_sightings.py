"""Signals and reads become rows."""

from dataclasses import fields

from opmas.core.unit.state import UnitState
from opmas.systemd.paths import unit_path
from opmas.systemd.sightings import FIELDS, Burst, Row, Sightings, make_row

WEB = unit_path("opmas-agent@web.service")
UNIT = b"org.freedesktop.systemd1.Unit"
SERVICE = b"org.freedesktop.systemd1.Service"
CRASHED = {b"Result": b"signal", b"ExecMainCode": 2, b"ExecMainStatus": 9, b"MainPID": 0}


def row(state: str, at: int = 0, load: bytes = b"loaded") -> Row:
    values = {b"ActiveState": state.encode(), b"StateChangeTimestamp": at, b"LoadState": load}
    return make_row(WEB, values)


def field(of: Row | None, name: str) -> object:
    assert of is not None
    return of[FIELDS.index(name)]


def test_a_row_is_what_a_unit_state_is_made_of() -> None:
    names = [each.name for each in fields(UnitState)]

    assert names == [*FIELDS, "need_daemon_reload"]


def test_a_row_is_taken_when_both_signals_of_a_change_are_there() -> None:
    sightings = Sightings()

    first = sightings.apply(WEB, SERVICE, CRASHED)
    second = sightings.apply(WEB, UNIT, {b"ActiveState": b"failed", b"Job": (7, b"/job/7")})

    assert first is None
    assert field(second, "active_state") == "failed"
    assert field(second, "exec_main_status") == 9
    assert field(second, "job_id") == 7


def test_a_change_that_changes_nothing_is_not_told() -> None:
    sightings = Sightings()
    sightings.apply(WEB, UNIT, {b"ActiveState": b"active"})

    again = sightings.apply(WEB, UNIT, {b"ActiveState": b"active"})

    assert again is None


def test_properties_are_turned_into_plain_values() -> None:
    values = {
        b"InvocationID": [0xAB, 0x01],
        b"ActiveEnterTimestamp": 1_500_000,
        b"StatusText": b"caf\xc3\xa9 \xff",
    }

    made = make_row(WEB, values)

    assert field(made, "unit") == "opmas-agent@web.service"
    assert field(made, "invocation_id") == "ab01"
    assert field(made, "active_enter_at") == 1.5
    assert field(made, "status_text") == "café �"


def test_an_unset_invocation_has_no_id() -> None:
    assert field(make_row(WEB, {b"InvocationID": []}), "invocation_id") == ""


def test_a_check_replaces_what_signals_said_before_it() -> None:
    sightings = Sightings()
    sightings.apply(WEB, UNIT, {b"ActiveState": b"active", b"StateChangeTimestamp": 5})

    held = sightings.merge({WEB: row("inactive", 3)}, touched=set())

    assert held == [row("inactive", 3)]


def test_a_check_does_not_undo_a_signal_that_is_newer() -> None:
    sightings = Sightings()
    sightings.apply(WEB, UNIT, {b"ActiveState": b"failed", b"StateChangeTimestamp": 5_000_000})

    held = sightings.merge({WEB: row("active", 3_000_000, b"masked")}, touched={WEB})

    assert [field(each, "active_state") for each in held] == ["failed"]
    assert [field(each, "load_state") for each in held] == ["masked"]


def test_a_check_corrects_a_signal_that_was_overtaken() -> None:
    sightings = Sightings()
    sightings.apply(WEB, UNIT, {b"ActiveState": b"failed", b"StateChangeTimestamp": 3_000_000})

    held = sightings.merge({WEB: row("active", 5_000_000)}, touched={WEB})

    assert [field(each, "active_state") for each in held] == ["active"]


def test_a_check_forgets_what_is_not_loaded_and_keeps_what_came_meanwhile() -> None:
    sightings = Sightings()
    db = unit_path("opmas-agent@db.service")
    sightings.apply(WEB, UNIT, {b"ActiveState": b"inactive"})
    sightings.apply(db, UNIT, {b"ActiveState": b"activating"})

    held = sightings.merge({}, touched={db})

    assert [field(each, "unit") for each in held] == ["opmas-agent@db.service"]
    assert WEB not in sightings


def test_what_was_checked_is_not_told_again() -> None:
    sightings = Sightings()
    sightings.merge({WEB: row("active")}, touched=set())

    assert sightings.apply(WEB, UNIT, {b"ActiveState": b"active"}) is None


def test_only_a_known_unit_is_forgotten() -> None:
    sightings = Sightings()
    sightings.apply(WEB, UNIT, {})

    assert sightings.forget(WEB) == "opmas-agent@web.service"
    assert sightings.forget(WEB) is None


def test_rows_of_a_unit_that_follow_each_other_travel_together() -> None:
    burst = Burst()
    web = ["web", 1]

    burst.changed(web)
    burst.changed(["web", 2])
    burst.job_removed("web", 7, "done")
    burst.changed(["web", 3])

    assert burst.events == [
        {"event": "changed", "states": [web, ["web", 2]]},
        {"event": "job", "unit": "web", "job_id": 7, "result": "done"},
        {"event": "changed", "states": [["web", 3]]},
    ]


def test_no_row_goes_past_what_happened_to_another_unit_before() -> None:
    burst = Burst()

    burst.changed(["web", "has a stop job"])
    burst.changed(["db", "has a stop job"])
    burst.changed(["web", "deactivating"])

    assert [event["states"] for event in burst.events] == [
        [["web", "has a stop job"]], [["db", "has a stop job"]], [["web", "deactivating"]],
    ]  # fmt: skip
