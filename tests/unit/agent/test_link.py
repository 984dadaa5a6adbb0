"""The conversation with the manager, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.agent.link import (
    MAX_LINE,
    QUEUE_BYTES,
    QUEUE_EVENTS,
    Delivery,
    Denied,
    Link,
    Offer,
    Pace,
    ProtocolError,
    Welcome,
)

WELCOME = b'{"jsonrpc":"2.0","id":1,"result":{"agent":"web","version":3,"config":{"a":1}}}\n'


def spoken(link):
    """Return everything the link has to say, as documents."""
    raw = b""
    while chunk := link.unsent():
        raw += chunk
        link.sent(len(chunk))
    return [json.loads(line) for line in raw.splitlines()]


def online():
    link = Link("0.1.0")
    link.opened(3)
    spoken(link)
    link.received(WELCOME)
    return link


def test_hello_comes_first_and_alone():
    link = Link("0.1.0")
    link.event("a.b", "info", "early", {})

    link.opened(3)

    params = {"sdk": "0.1.0", "config_version": 3}
    assert spoken(link) == [{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": params}]
    assert not link.online


def test_the_answer_to_hello_brings_name_and_configuration():
    link = Link("0.1.0")
    link.opened(None)

    (welcome,) = link.received(WELCOME)

    assert isinstance(welcome, Welcome)
    assert (welcome.agent, welcome.version, welcome.config) == ("web", 3, {"a": 1})
    assert link.online


def test_a_refused_hello_says_why():
    link = Link("0.1.0")
    link.opened(None)

    (denied,) = link.received(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}\n')

    assert isinstance(denied, Denied)
    assert denied.reason == "no"


def test_an_error_about_a_notification_changes_nothing():
    link = online()

    messages = link.received(
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x"}}\n'
    )

    assert messages == []
    assert link.online


def test_health_and_metrics_go_in_one_piece_when_no_event_waits():
    link = online()
    link.health({"status": "healthy"})
    link.metrics([])

    assert link.unsent().count(b"\n") == 2


@pytest.mark.parametrize(("asked", "kept"), [("30", 30.0), ("0", 0.0), ("1e9", 60.0)])
def test_a_pace_is_bounded_by_what_the_protocol_asks_for(asked, kept):
    link = online()

    (pace,) = link.received(
        f'{{"jsonrpc":"2.0","method":"pace","params":{{"seconds":{asked}}}}}\n'.encode()
    )

    assert isinstance(pace, Pace)
    assert pace.seconds == kept


@pytest.mark.parametrize("asked", ["-1", "null", '"x"', "[]"])
def test_a_pace_that_is_none_changes_nothing(asked):
    link = online()

    line = f'{{"jsonrpc":"2.0","method":"pace","params":{{"seconds":{asked}}}}}\n'
    assert link.received(line.encode()) == []


def test_a_configuration_is_offered_and_answered():
    link = online()

    (offer,) = link.received(
        b'{"jsonrpc":"2.0","id":7,"method":"config","params":{"version":4,"config":{"a":2}}}\n'
    )
    link.answer(offer.request, {"version": 4, "applied": True})

    assert isinstance(offer, Offer)
    assert (offer.version, offer.config) == (4, {"a": 2})
    answer = {"jsonrpc": "2.0", "id": 7, "result": {"version": 4, "applied": True}}
    assert spoken(link) == [answer]


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"dance"}\n', -32601),
        (b'{"jsonrpc":"2.0","id":7,"method":"config","params":{"version":4}}\n', -32602),
        (b'{"jsonrpc":"2.0","id":7,"method":"config","params":[1]}\n', -32602),
    ],
)
def test_a_request_that_is_none_is_refused(request_line, code):
    link = online()

    messages = link.received(request_line)

    assert messages == []
    assert [answer["error"]["code"] for answer in spoken(link)] == [code]


def test_an_event_is_delivered():
    link = online()

    (delivery,) = link.received(b'{"jsonrpc":"2.0","method":"event","params":{"type":"x"}}\n')

    assert isinstance(delivery, Delivery)
    assert delivery.event == {"type": "x"}


@given(st.lists(st.integers(1, 40), max_size=20))
def test_messages_are_the_same_however_the_bytes_are_cut(sizes):
    link = online()
    raw = b"".join(
        json.dumps({"method": "event", "params": {"n": n}}).encode() + b"\n" for n in range(5)
    )
    seen = []

    for size in [*sizes, len(raw)]:
        seen += link.received(raw[:size])
        raw = raw[size:]

    assert [message.event["n"] for message in seen] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "raw", [b"{\n", b"[]\n", b"\xff\xfe\n", b"x" * MAX_LINE, b'{"result":1}\n{"id":1}\n']
)
def test_nonsense_is_an_error(raw):
    link = Link("0.1.0")
    link.opened(None)

    with pytest.raises(ProtocolError):
        link.received(raw)


def test_only_the_newest_health_and_metrics_are_sent_and_health_goes_first():
    link = online()

    link.metrics([{"name": "old"}])
    link.health({"status": "healthy"})
    link.metrics([{"name": "new"}])
    link.health({"status": "degraded"})

    assert [message["params"] for message in spoken(link)] == [
        {"status": "degraded"},
        {"metrics": [{"name": "new"}]},
    ]


def test_events_wait_for_the_manager_and_keep_their_order():
    link = Link("0.1.0")
    link.event("a", "info", "1", {"n": 1})
    link.event("b", "error", "2", {})
    link.opened(None)
    spoken(link)

    link.received(WELCOME)

    assert [message["params"] for message in spoken(link)] == [
        {"type": "a", "severity": "info", "message": "1", "data": {"n": 1}},
        {"type": "b", "severity": "error", "message": "2", "data": {}},
    ]


def test_an_event_that_was_cut_off_is_sent_again():
    link = online()
    link.event("a.b", "info", "half", {})
    link.unsent()
    link.sent(10)

    link.opened(3)
    spoken(link)
    link.received(WELCOME)

    assert [message["params"]["type"] for message in spoken(link)] == ["a.b"]


def test_a_full_queue_drops_the_oldest_and_counts():
    link = Link("0.1.0")

    for number in range(QUEUE_EVENTS + 3):
        link.event("a.b", "info", "", {"n": number})
    link.opened(None)
    spoken(link)
    link.received(WELCOME)

    sent = [message["params"]["data"]["n"] for message in spoken(link)]
    assert sent == list(range(3, QUEUE_EVENTS + 3))
    assert link.events_dropped == 3


def test_the_queue_has_a_limit_in_bytes_too():
    link = Link("0.1.0")

    for _ in range(200):
        link.event("a.b", "info", "", {"text": "x" * 8_000})

    assert link.events_dropped == 200 - QUEUE_BYTES // 8_100


def test_the_event_on_its_way_is_never_the_one_that_is_dropped():
    link = online()
    link.event("first", "info", "", {})
    link.unsent()
    link.sent(10)

    for _ in range(QUEUE_EVENTS):
        link.event("other", "info", "", {})

    rest = link.unsent()
    assert b'"first"' in rest


@pytest.mark.parametrize(
    ("event_type", "severity", "details", "why"),
    [
        ("Threshold", "info", {}, "use lower-case words joined by dots"),
        ("a..b", "info", {}, "use lower-case words joined by dots"),
        ("a\nb", "info", {}, "use lower-case words joined by dots"),
        ("a.b", "fatal", {}, "severity 'fatal' is none of info, warning, error"),
        ("a.b", "info", {"x": object()}, "not JSON serializable"),
        ("a.b", "info", {"x": float("nan")}, "not JSON compliant"),
        ("a.b", "info", {"x": "y" * MAX_LINE}, "the limit is 8192"),
    ],
)
def test_an_event_that_cannot_be_sent_is_refused(event_type, severity, details, why):
    link = online()

    with pytest.raises(ValueError, match=why):
        link.event(event_type, severity, "", details)

    assert link.unsent() == b""


def test_metrics_that_find_no_room_are_left_out_from_the_end():
    link = online()
    samples = [{"name": f"m{n}", "value": "x" * 100} for n in range(1000)]

    left_out = link.metrics(samples)

    line = link.unsent()
    assert len(line) <= MAX_LINE
    assert json.loads(line)["params"]["metrics"] == samples[: 1000 - left_out]
    assert 300 < left_out < 600


def test_a_health_that_finds_no_room_goes_without_its_checks():
    link = online()

    link.health({"status": "degraded", "message": "m", "checks": ["x" * MAX_LINE]})

    assert spoken(link)[0]["params"] == {"status": "degraded", "message": "m", "checks": []}


def test_text_that_is_no_unicode_is_sent_with_its_bytes_as_escapes():
    link = online()

    link.event("a.b", "info", "caf\udcc3 \U0001f600", {"\udcff": 1})

    params = spoken(link)[0]["params"]
    assert (params["message"], params["data"]) == ("caf\\udcc3 \U0001f600", {"\\udcff": 1})
