"""What the redactor takes out, and what it leaves as it is."""

import base64
import json
from urllib.parse import quote

import pytest

from opmas.diagnosis.redaction.forms import forms
from opmas.diagnosis.redaction.names import is_secret_name
from opmas.diagnosis.redaction.redactor import MARK, Redactor
from opmas.diagnosis.redaction.sweep import Sweep

SECRET = "hunter2-Zq9/é+x"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(b"a key of this test")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=S3cret!x rest", "password=[M] rest"),
        ("DB_PASSWORD=S3cret!x", "DB_PASSWORD=[M]"),
        ("PASSWORD: two words", "PASSWORD: [M]"),
        ('--password "two words" --v', '--password "[M]" --v'),
        (
            "argv[]=/bin/x --api-key two words -v ; ignore",
            "argv[]=/bin/x --api-key [M] -v ; ignore",
        ),
        ('{"password": "a\\"b", "x": 1}', '{"password": "[M]", "x": 1}'),
        (r'"{\"token\": \"a\\\"b\", \"x\": 1}"', r'"{\"token\": \"[M]\", \"x\": 1}"'),
        ('{"pin":1234,"x":2}', '{"pin":[M]'),
        ("Authorization: Basic dTpw", "Authorization: [M]"),
        ("authorization:Bearer abc", "authorization:[M]"),
        ("Cookie: a=b; c=d", "Cookie: [M]"),
        ("sent Bearer abcdef-123 there", "sent Bearer [M] there"),
        ("http://u:p@w/x@host/p?token=a&x=1&sig=z", "http://[M]@host/p?token=[M]&x=1&sig=[M]"),
        ("https://abcdef@host/x", "https://[M]@host/x"),
        ("to=https%3A%2F%2Fu%3Ap%40h&token%3Da%26b", "to=https%3A%2F%2F[M]%40h&token%3D[M]%26b"),
        ('Environment="DB_PASS=two words" A=b', 'Environment="DB_PASS=[M]" A=b'),
        ("Environment=DB_KEY=ab A=b", "Environment=DB_KEY=[M] A=b"),
        ("password: |\n  one\n  two\nnext: x", "password: [M]\nnext: x"),
        ("credentials:\n  a: x\n  b: y\nz: 1", "credentials:[M]\nz: 1"),
        ("secrets = [a,\n b]\nx = 1", "secrets = [M]\nx = 1"),
        ("<Password>x y</Password>", "<Password>[M]</Password>"),
        ("curl -u me:pw http://x", "curl -u [M] http://x"),
        ("apiKey => 'z', dbKey=y", "apiKey => '[M]', dbKey=[M]"),
        ("password='not closed", "password='[M]"),
        ("x eyJhbGciOi.eyJzdWIiOi.c2ln y", "x [M] y"),
        ("ghp_0123456789abcdefABCD", "[M]"),
        ("id AKIAIOSFODNN7EXAMPLE", "id [M]"),
        ("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\ny", "[M]\ny"),
        ("-----BEGIN RSA PRIVATE KEY-----\ncut off", "[M]"),
        ("opmas_0123456789ab_" + "x" * 43, "[M]"),
        ("root:$6$salt$abcdefghijkl:1", "root:[M]:1"),
        ("blob aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kL7n", "blob [M]"),
    ],
)
def test_what_is_secret_by_its_name_or_its_shape_is_taken_out(redactor, text, left):
    found = redactor.text(text)

    assert MARK.sub("[M]", found) == left


@pytest.mark.parametrize(
    "text",
    [
        "monkey=3 keyring=4 KeyringMode=private",
        "man:opmas(1) https://example.org/x?page=2",
        "file:///etc/systemd/system/opmas-agent@web.service",
        "TLS is on, password: (secret)",
        "password=",
        "token: null",
        "invocation 0123456789abcdef0123456789abcdef0123456789abcdef",
        "/usr/lib/opmas/agents/hostwatch/Some-Long-Name/of/A1/path/that/is/no/secret",
        "LoadCredential=config.json:/var/lib/opmas/agents/web/config.json",
        "trusted_keys: /etc/opmas/trusted-keys.d",
        "opmas-agent@web.service: Main process exited, code=exited, status=1/FAILURE",
        "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_stays(redactor, text):
    assert redactor.text(text) == text


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s,
        lambda s: quote(s, safe=""),
        lambda s: quote(quote(s, safe=""), safe=""),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(b"u:" + s.encode() + b"tail").decode(),
        lambda s: base64.urlsafe_b64encode(b"x" + s.encode()).decode(),
        lambda s: s.encode().hex(),
        lambda s: s.encode().hex(":"),
        lambda s: s.encode().hex().upper(),
        json.dumps,
        lambda s: json.dumps(json.dumps(s)),
        lambda s: repr(s.encode())[2:-1],
        lambda s: "".join(f"\\x{b:02x}" for b in s.encode()),
    ],
)
def test_a_known_secret_is_found_in_every_form(redactor, write):
    redactor.learn(SECRET)

    found = redactor.text(f"before {write(SECRET)} after")

    beside = MARK.sub("", found).removeprefix("before ").removesuffix(" after")
    assert MARK.search(found)
    assert len(beside) <= 8  # quotes, and what base64 has of its neighbours


def test_a_secret_that_was_cut_is_found_by_its_beginning(redactor):
    redactor.learn("0123456789-abcdefghij-KLMNOPQRST-uvwxyz")

    found = redactor.text("it is 0123456789-abcdefghij-KLMN")

    assert MARK.sub("[M]", found) == "it is [M]"


def test_a_secret_is_found_where_letters_of_other_alphabets_were_lost(redactor):
    redactor.learn("prefix-of-it-ä-rest-of-it")

    found = redactor.text("with prefix-of-it-?-rest-of-it, prefix-of-it-x and y-rest-of-it")

    assert MARK.sub("[M]", found) == "with [M], [M]x and y[M]"


def test_the_beginning_of_a_secret_where_a_text_was_cut_is_found(redactor):
    redactor.learn("abcdefgh-1234-5678-zyxw")

    assert MARK.sub("[M]", redactor.text("it is abcdefgh-1…")) == "it is [M]…"
    assert redactor.text("abcdefgh and so on") == "abcdefgh and so on"


def test_each_line_of_a_secret_is_one(redactor):
    redactor.learn("first-line-of-it\nsecond-line-of-it")

    assert MARK.sub("[M]", redactor.text("a second-line-of-it b")) == "a [M] b"


def test_a_short_secret_is_found_as_a_word_only(redactor):
    redactor.learn("1234")

    assert MARK.sub("[M]", redactor.text("1234 of 12345")) == "[M] of 12345"


def test_the_same_secret_has_the_same_mark_within_an_archive_and_another_in_the_next():
    one, other = Redactor(b"one"), Redactor(b"other")

    first, second = one.text("password=abcd1234"), one.text("x_token=abcd1234")

    assert first.partition("=")[2] == second.partition("=")[2]
    assert other.text("password=abcd1234") != first


def test_what_one_text_gave_away_is_taken_out_of_the_others(redactor):
    plain = redactor.text("connecting with kJ8x-92mQ")

    redactor.text("password=kJ8x-92mQ")

    assert MARK.sub("[M]", redactor.again(plain)) == "connecting with [M]"


def test_a_document_keeps_its_structure(redactor):
    document = {
        "password": "abc",
        "credentials": {"user": "u", "pins": [1, None, True]},
        "env": [{"name": "X_TOKEN", "value": "v"}, {"name": "LANG", "value": "C"}],
        "argv": ["x", "--password", "p", "--verbose"],
        "interval": 5,
        "text": "key=value",
    }

    found = redactor.document(document)

    assert json.loads(MARK.sub("M", json.dumps(found))) == {
        "password": "M",
        "credentials": {"user": "M", "pins": ["M", None, True]},
        "env": [{"name": "X_TOKEN", "value": "M"}, {"name": "LANG", "value": "C"}],
        "argv": ["x", "--password", "M", "--verbose"],
        "interval": 5,
        "text": "key=M",
    }


def test_agents_words_stay_out_when_not_all_secrets_are_known():
    redactor = Redactor(b"k", knows_all=False)

    found = redactor.document({"name": "web", "status_text": "abc", "health_message": ""})

    assert found == {"name": "web", "status_text": "[left out]", "health_message": ""}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("smtp.Password2", True),
        ("API_KEY", True),
        ("sessionToken", True),
        ("dbKey", True),
        ("auth", True),
        ("sslkey", True),
        ("keyring", False),
        ("monkey", False),
        ("author", False),
        ("passive", False),
        ("trusted_keys", False),
        ("interval", False),
    ],
)
def test_names_of_secrets(name, secret):
    assert is_secret_name(name) is secret


def test_thousands_of_secrets_cost_no_more_than_one():
    sweep = Sweep()
    for number in range(2000):
        sweep.add(f"secret-number-{number:05}")

    assert len(sweep) == 2000
    assert sweep.spans("x secret-number-01234 y") == [(2, 21, "secret-number-01234")]


def test_no_form_is_so_short_that_it_stands_in_ordinary_text():
    assert min(map(len, forms("abcdefg"))) >= 6
