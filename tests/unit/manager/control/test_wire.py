"""JSON-RPC lines, as anybody may write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opmas.errors import GrantError
from opmas.manager.control import wire
from opmas.manager.control.wire import Request, Response, WireError, parse


def test_a_request_and_a_notification_are_told_apart():
    assert parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}') == Request(
        "m", {"a": 1}, 1
    )
    assert parse(b'{"method":"m"}') == Request("m", {}, None)


def test_an_answer_has_a_result_or_an_error():
    assert parse(b'{"id":1,"result":{"x":1}}') == Response(1, {"x": 1})
    assert parse(b'{"id":1,"error":{"message":"no"}}') == Response(1, None, "no")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", wire.PARSE_ERROR),
        (b"{", wire.PARSE_ERROR),
        (b"\xff", wire.PARSE_ERROR),
        (b"[" * 100_000, wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":' + b"[" * 64 + b"]" * 64 + b"}}", wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":NaN}}', wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":-Infinity}}', wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":1e999}}', wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":["\\ud800"]}}', wire.PARSE_ERROR),
        (b'{"method":"m","params":{"\\udfff":1}}', wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":"\xed\xa0\x80"}}', wire.PARSE_ERROR),
        ('{"method":"m"}'.encode("utf-16"), wire.PARSE_ERROR),
        (b'{"method":"m","params":{"a":' + b"1" * 5000 + b"}}", wire.PARSE_ERROR),
        (b"[]", wire.INVALID_REQUEST),
        (b"7", wire.INVALID_REQUEST),
        (b"{}", wire.INVALID_REQUEST),
        (b'{"method":7}', wire.INVALID_REQUEST),
        (b'{"method":"m","params":[1]}', wire.INVALID_REQUEST),
    ],
)
def test_what_is_no_request_is_refused_with_the_standard_code(line, code):
    with pytest.raises(WireError) as caught:
        parse(line)

    assert caught.value.code == code


@pytest.mark.parametrize("value", ["ä", "\\u00e9", "\\ud83d\\ude00", 1.5, [[-2e3]], [[]] * 100])
def test_what_looks_odd_and_is_not_is_taken(value):
    line = json.dumps({"method": "m", "params": {"a": value}}, ensure_ascii=False)
    line = line.replace("\\\\u", "\\u")

    assert parse(line.encode()) == Request("m", json.loads(line)["params"], None)


@given(st.binary(max_size=200))
def test_no_line_does_anything_but_parse_or_be_refused(line):
    try:
        found = parse(line)
    except WireError:
        return

    assert isinstance(found, Request | Response)


def test_an_error_travels_with_its_code_and_problems():
    error = GrantError("cannot", ("network=full: why",))

    document = json.loads(wire.render_error(7, error))

    assert document["id"] == 7
    assert document["error"]["data"] == {
        "code": "grant-required",
        "problems": ["network=full: why"],
    }


def test_an_error_that_nobody_meant_says_nothing_of_its_inside():
    line = wire.render_error(7, KeyError("secret"))

    assert b"secret" not in line
    assert json.loads(line)["error"]["data"]["code"] == "internal-error"
