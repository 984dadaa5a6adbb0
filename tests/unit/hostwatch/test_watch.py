"""All thresholds over time."""

from opmas.agents.hostwatch.hostwatch.settings import Threshold, read_settings
from opmas.agents.hostwatch.hostwatch.thresholds import Change, Rule
from opmas.agents.hostwatch.hostwatch.watch import Watch

DEFAULTS = read_settings({}).thresholds
USED = {"filesystem_used": Threshold(Rule(90, 85), "warning")}


def test_a_crossing_is_told_with_all_that_is_known_of_it():
    (event,) = Watch().check({"filesystem_used": {"/var": 93.25}}, USED, now=100.0)

    assert event.change is Change.RAISED
    assert event.severity == "warning"
    assert event.message == "file system /var is 93 % used (raised at 90)"
    assert event.data == {
        "rule": "filesystem_used",
        "resource": "filesystem_used",
        "instance": "/var",
        "value": 93.25,
        "level": 90,
        "unit": "percent",
        "since": 100.0,
        "seconds": 0.0,
    }


def test_the_end_of_it_is_an_info_that_says_how_long_it_took():
    watch = Watch()
    watch.check({"filesystem_used": {"/var": 93.0}}, USED, now=100.0)

    (event,) = watch.check({"filesystem_used": {"/var": 80.0}}, USED, now=160.0)

    assert event.change is Change.CLEARED
    assert event.severity == "info"
    assert event.message == "file system /var is 80 % used (cleared at 85)"
    assert event.data["since"] == 100.0
    assert event.data["seconds"] == 60.0
    assert watch.raised == {}


def test_instances_of_one_rule_are_apart():
    watch = Watch()
    watch.check({"filesystem_used": {"/": 10.0, "/var": 95.0}}, USED, now=1.0)

    events = watch.check({"filesystem_used": {"/": 95.0, "/var": 95.0}}, USED, now=2.0)

    assert [event.data["instance"] for event in events] == ["/"]


def test_the_critical_rule_comes_on_top_with_its_own_severity():
    values = {"filesystem_used": {"/": 99.0}, "filesystem_used_critical": {"/": 99.0}}

    events = Watch().check(values, DEFAULTS, now=1.0)

    assert [event.severity for event in events] == ["warning", "error"]
    assert {event.data["resource"] for event in events} == {"filesystem_used"}


def test_a_reading_that_fails_changes_nothing():
    watch = Watch()
    watch.check({"filesystem_used": {"/var": 95.0}}, USED, now=1.0)

    assert watch.check({}, USED, now=2.0) == []
    assert list(watch.raised) == [("filesystem_used", "/var")]


def test_an_instance_that_goes_away_ends_its_crossing():
    watch = Watch()
    watch.check({"filesystem_used": {"/mnt": 95.0}}, USED, now=1.0)

    (event,) = watch.check({"filesystem_used": {}}, USED, now=2.0)

    assert event.message == "filesystem_used of /mnt is cleared: it is gone"
    assert event.data["value"] is None


def test_an_instance_that_goes_away_before_it_is_raised_is_no_news():
    slow = {"filesystem_used": Threshold(Rule(90, 85, hold=60), "warning")}
    watch = Watch()
    watch.check({"filesystem_used": {"/mnt": 95.0}}, slow, now=1.0)

    assert watch.check({"filesystem_used": {}}, slow, now=2.0) == []


def test_a_unit_that_is_no_longer_listed_has_recovered():
    watch = Watch()
    watch.check({"unit_failed": {"a.service": 1.0}}, DEFAULTS, now=1.0)

    (event,) = watch.check({"unit_failed": {}}, DEFAULTS, now=61.0)

    assert event.message == "systemd unit a.service is no longer failed"
    assert event.data["value"] == 0


def test_a_second_failed_unit_is_an_event_of_its_own():
    watch = Watch()
    watch.check({"unit_failed": {"a.service": 1.0}}, DEFAULTS, now=1.0)

    (event,) = watch.check(
        {"unit_failed": {"a.service": 1.0, "b.service": 1.0}}, DEFAULTS, now=2.0
    )

    assert event.message == "systemd unit b.service has failed"


def test_new_levels_keep_what_is_raised_until_the_new_clear_level():
    watch = Watch()
    watch.check({"filesystem_used": {"/": 92.0}}, USED, now=1.0)
    higher = {"filesystem_used": Threshold(Rule(98, 91), "warning")}

    assert watch.check({"filesystem_used": {"/": 92.0}}, higher, now=2.0) == []
    (event,) = watch.check({"filesystem_used": {"/": 91.0}}, higher, now=3.0)
    assert event.change is Change.CLEARED


def test_a_threshold_that_is_switched_off_ends_its_crossing():
    watch = Watch()
    watch.check({"filesystem_used": {"/": 92.0}}, USED, now=1.0)

    (event,) = watch.check({"filesystem_used": {"/": 92.0}}, {}, now=2.0)

    assert event.message == "filesystem_used of / is cleared: it is no longer watched"


def test_what_was_raised_before_a_restart_is_not_told_again():
    watch = Watch()
    watch.restore({("filesystem_used", "/"): -50.0, ("a_rule_of_an_older_version", "x"): 0.0})

    assert watch.check({"filesystem_used": {"/": 92.0}}, USED, now=1.0) == []
    (event,) = watch.check({"filesystem_used": {"/": 10.0}}, USED, now=2.0)
    assert event.data["seconds"] == 52.0
