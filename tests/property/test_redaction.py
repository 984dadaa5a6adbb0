"""The redactor under generated secrets, texts and documents."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from hypothesis import assume, given
from hypothesis import strategies as st

from opmas.diagnosis.redaction.redactor import MARK, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = b"of the test"
SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=("Cc", "Zs")),
    min_size=8,
    max_size=60,
)
# Of such a secret nothing stands in the texts around it by chance.
ODD = st.text(st.sampled_from("QXZJ7930-_.~+/%&?*"), min_size=10, max_size=40).filter(
    lambda text: len(set(text)) > 4
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
SYNTAX: Final = (
    *(
        "password",
        "token",
        "key",
        "=",
        ": ",
        '"',
        "'",
        "\\",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "|",
        "abc",
    ),
    *("://", "@", ":", "&", "%3D", "-----BEGIN KEY-----", "--", " ", "Bearer ", "1"),
)
FRAGMENTS = st.lists(st.sampled_from(SYNTAX), max_size=40).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4),
    max_leaves=20,
)

FORMS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda s: quote(s, safe=""),
    quote,
    quote_plus,
    lambda s: s.encode().hex(),
    lambda s: base64.b64encode(s.encode()).decode(),
    lambda s: base64.b64encode(b"a" + s.encode()).decode(),
    lambda s: base64.urlsafe_b64encode(b"ab" + s.encode() + b"c").decode(),
    lambda s: json.dumps(s)[1:-1],
    lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
)
NAMED: Final = (
    "password={}",
    "DB_PASSWORD={} next=1",
    "password: {}",
    "  - api_key: {}\n  - other: 1",
    '{{"token": "{}"}}',
    "--secret {} --verbose",
    "Authorization: Bearer {}",
    "Cookie: session={}",
    "http://host/?access_token={}",
    "2026-01-31T12:00:00Z web[1]: auth_token={}",
    'Environment="X_SECRET={}"',
)


@given(SECRETS, TEXTS, TEXTS, st.sampled_from(FORMS))
def test_a_known_secret_is_nowhere_in_any_form(
    secret: str, before: str, after: str, write: Callable[[str], str]
):
    assume(secret != "(secret)")  # that is how OPMAS says that there is one
    redactor = Redactor(KEY)
    redactor.learn(secret)

    found = redactor.text(f"{before} {write(secret)} {after}")

    around = f"{before}  {after}"
    for form in FORMS[:6]:
        assert form(secret) not in MARK.sub(" ", found) or form(secret) in around


@given(ODD, st.sampled_from(NAMED))
def test_what_stands_under_a_secret_name_is_taken_out(secret: str, template: str):
    redactor = Redactor(KEY)

    found = redactor.text(template.format(secret))

    assert secret not in found


@given(TEXTS | FRAGMENTS)
def test_any_text_is_redacted_and_twice_is_once(text: str):
    redactor = Redactor(KEY)

    once = redactor.text(text)

    assert redactor.text(once) == once
    assert redactor.again(once).count("\n") <= text.count("\n")


@given(FRAGMENTS, ODD)
def test_known_secrets_between_fragments_of_syntax_are_gone(text: str, secret: str):
    redactor = Redactor(KEY)
    redactor.learn(secret)

    found = redactor.text(text + secret + text)

    assert secret not in found


@given(JSON, ODD)
def test_a_document_stays_json_of_the_same_shape(value: object, secret: str):
    redactor = Redactor(KEY)
    redactor.learn(secret)

    found = redactor.document({"config": value, "password": secret, "x": [secret]})

    assert secret not in json.dumps(found)
    assert _shape(found["config"]) == _shape(value)


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return sorted(map(str, map(_shape, value.values())))
    return [_shape(item) for item in value] if isinstance(value, list) else "leaf"
