"""The bytes on the system bus: what dbus-daemon 1.14 and systemd 252 really sent."""

import pytest

from opmas.agents.hostwatch.hostwatch.dbus import (
    ERROR_NAME,
    REPLY_SERIAL,
    SIGNATURE,
    BusError,
    Message,
    Method,
    parse_message,
    render_call,
    render_strings,
)
from opmas.agents.hostwatch.hostwatch.units import is_listed, parse_units

# The reply to ListUnitsByPatterns(["failed"], []) on a host with two failed units.
REPLY = (
    b"l\x02\x01\x01B\x01\x00\x00\xf8\x00\x00\x00=\x00\x00\x00\x05\x01u\x00\x02\x00\x00\x00\x06\x01s\x00\x04\x00\x00\x00:1.5\x00\x00\x00\x00\x08\x01g\x00\ra(s"
    b"sssssouso)\x00\x00\x00\x00\x00\x00\x07\x01s\x00\x04\x00\x00\x00:1.0\x00\x00\x00\x00:\x01\x00\x00\x00\x00\x00\x00\x0e\x00\x00\x00brok"
    b"en.service\x00\x00\n\x00\x00\x00/bin/false\x00\x00\x06\x00\x00\x00loaded\x00\x00\x06\x00\x00\x00fail"
    b"ed\x00\x00\x06\x00\x00\x00failed\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00/\x00\x00\x00/org/freedesktop/sys"
    b"temd1/unit/broken_2eservice\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00/\x00\x00\x00"
    b"\x12\x00\x00\x00web-a\\x20b.service\x00\x00\n\x00\x00\x00/bin/false\x00\x00\x06\x00\x00\x00load"
    b"ed\x00\x00\x06\x00\x00\x00failed\x00\x00\x06\x00\x00\x00failed\x00\x00\x00\x00\x00\x00\x00\x00\x00\x007\x00\x00\x00/org/fre"
    b"edesktop/systemd1/unit/web_2da_5cx20b_2eservice\x00"
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00/\x00"
)

# An error, in the other byte order: org.freedesktop.DBus.Error.AccessDenied("no").
ERROR_BIG_ENDIAN = (
    b"B\x03\x00\x01\x00\x00\x00\x07\x00\x00\x00\x09\x00\x00\x00\x3f"
    b"\x04\x01s\x00\x00\x00\x00\x27org.freedesktop.DBus.Error.AccessDenied\x00"
    b"\x05\x01u\x00\x00\x00\x00\x02\x08\x01g\x00\x01s\x00\x00"
    b"\x00\x00\x00\x02no\x00"
)


def test_the_failed_units_are_read_with_their_names_unescaped_by_nobody():
    message, length = parse_message(REPLY + b"more") or pytest.fail("no message")

    assert length == len(REPLY)
    assert message.fields[REPLY_SERIAL] == 2
    assert parse_units(message) == ["broken.service", "web-a\\x20b.service"]


def test_a_host_without_failed_units_has_an_empty_list():
    message = Message(2, {SIGNATURE: "a(ssssssouso)"}, b"\0\0\0\0\0\0\0\0", "<")

    assert parse_units(message) == []


@pytest.mark.parametrize(("uid", "listed"), [(0, True), (996, True), (63016, False), (99, False)])
def test_a_user_is_listed_or_dynamic(uid, listed):
    passwd = "root:x:0:0:root:/root:/bin/bash\n\n+::\n_opmas-hostwatch:x:996:99::/:/bin/false\n"

    assert is_listed(uid, passwd) is listed


def test_an_error_in_the_other_byte_order_is_read():
    message, length = parse_message(ERROR_BIG_ENDIAN) or pytest.fail("no message")

    assert length == len(ERROR_BIG_ENDIAN)
    assert message.fields[ERROR_NAME] == "org.freedesktop.DBus.Error.AccessDenied"
    assert message.body == b"\0\0\0\x02no\0"


@pytest.mark.parametrize("length", [0, 15, 16, 100, len(REPLY) - 1])
def test_a_message_that_is_not_all_there_is_waited_for(length):
    assert parse_message(REPLY[:length]) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request", "no D-Bus message"),
        (b"l\2\1\1" + b"\xff" * 12, "more than 1048576 bytes"),
        (b"l\2\1\1" + b"\0" * 8 + b"\x08\0\0\0" + b"\6\1s\0\xff\0\0\0", "ends too early"),
        (b"l\2\1\1" + b"\0" * 8 + b"\x08\0\0\0" + b"\6\1v\0\1\0\0\0", "type 'v'"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(data, reason):
    with pytest.raises(BusError, match=reason):
        parse_message(data)


def test_units_that_end_in_the_middle_are_refused():
    message, _ = parse_message(REPLY) or pytest.fail("no message")

    with pytest.raises(BusError, match="ends too early"):
        parse_units(message._replace(body=message.body[:-40]))


def test_a_call_is_what_libdbus_writes():
    method = Method(
        "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"
    )

    written = render_call(1, method, "", b"")

    # The first message of `dbus-send`, with the fields in our order.
    assert written == (
        b"l\1\0\1\0\0\0\0\1\0\0\0m\0\0\0"
        b"\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
        b"\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
        b"\3\1s\0\5\0\0\0Hello\0\0\0"
        b"\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
    )


def test_strings_are_aligned_within_their_array():
    written = render_strings(("a", "failed"))

    assert written == b"\x13\0\0\0\1\0\0\0a\0\0\0\6\0\0\0failed\0"
