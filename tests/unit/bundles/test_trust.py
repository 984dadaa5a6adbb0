"""The trust store: which key may sign what, until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from opmas.bundles.trust import TrustStore
from opmas.errors import (
    ConfigError,
    ExpiredKeyError,
    InvalidError,
    KeyNotAllowedError,
    RequestError,
    RevokedKeyError,
    UnknownKeyError,
)
from tests.unit.bundles.material import KEY, OTHER_KEY

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)
ID = KEY.public.id


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "keys")


def test_a_store_that_is_not_there_trusts_nobody(store: TrustStore) -> None:
    with pytest.raises(UnknownKeyError, match="opmas key trust"):
        store.check(ID, "web", NOW)


def test_a_key_without_conditions_may_sign_all_for_ever(store: TrustStore) -> None:
    store.add(KEY.public, "tester")

    assert store.check(ID, "web", NOW).name == "tester"
    assert (store.directory / "tester.pub").read_text() == KEY.public.render()


@pytest.mark.parametrize(
    ("until", "now", "over"),
    [
        ("2027-05-01", NOW, False),
        ("2027-04-30", NOW, True),
        ("2027-05-01T11:59:59Z", NOW, True),
        ("2027-05-01T14:30:00+02:00", NOW, False),
    ],
)
def test_the_last_day_still_counts(
    store: TrustStore, until: str, now: datetime, over: bool
) -> None:
    store.add(KEY.public, "tester", valid_until=until)

    (key,) = store.keys()

    assert key.expired(now) is over


def test_an_expired_key_has_an_error_of_its_own(store: TrustStore) -> None:
    store.add(KEY.public, "tester", valid_until="2027-01-01")

    with pytest.raises(ExpiredKeyError, match="valid until 2027-01-01"):
        store.check(ID, "web", NOW)


def test_a_key_signs_only_what_it_may(store: TrustStore) -> None:
    store.add(KEY.public, "tester", packages=["web", "net-*"])

    assert store.check(ID, "net-probe", NOW).id == ID
    with pytest.raises(KeyNotAllowedError, match="it may sign web, net-"):
        store.check(ID, "website", NOW)


@pytest.mark.parametrize("name", ["tester", ID, ID.lower()])
def test_a_revoked_key_stays_and_is_refused_with_the_reason(store: TrustStore, name: str) -> None:
    store.add(KEY.public, "tester", valid_until="2030-01-01", packages=["web"])

    store.revoke(name, 'laptop "stolen"', now=NOW)

    with pytest.raises(RevokedKeyError, match='revoked on 2027-05-01: laptop "stolen"'):
        store.check(ID, "web", NOW)
    assert store.keys()[0].packages == ("web",)


def test_revoking_twice_keeps_the_first_day(store: TrustStore) -> None:
    store.add(KEY.public, "tester")
    store.revoke("tester", "lost", now=NOW)

    again = store.revoke("tester", "other", now=NOW.replace(year=2028))

    assert (again.revoked_at, again.revoked_reason) == ("2027-05-01", "lost")


def test_an_unknown_key_cannot_be_revoked(store: TrustStore) -> None:
    with pytest.raises(UnknownKeyError):
        store.revoke("nobody")


def test_of_two_files_with_one_key_the_revoked_one_counts(store: TrustStore) -> None:
    store.add(KEY.public, "tester")
    store.revoke("tester", "lost")
    (store.directory / "another.pub").write_text(KEY.public.render())

    with pytest.raises(RevokedKeyError):
        store.check(ID, "web", NOW)


def test_a_name_or_a_key_is_added_once(store: TrustStore) -> None:
    store.add(KEY.public, "tester")

    for key, name in ((KEY, "other"), (OTHER_KEY, "tester")):
        with pytest.raises(RequestError, match='is known as "tester"'):
            store.add(key.public, name)


@pytest.mark.parametrize(
    ("name", "until", "packages", "reason"),
    [
        ("../x", "", [], "name: must be a plain word"),
        ("x", "tomorrow", [], "valid_until: must be a day"),
        ("x", "2027-01-01T00:00:00", [], "valid_until: must be a day"),
        ("x", "", ["a b"], "must be the name of a package"),
    ],
)
def test_wrong_conditions_are_refused_and_leave_nothing(
    store: TrustStore, name: str, until: str, packages: list[str], reason: str
) -> None:
    with pytest.raises(InvalidError, match=reason):
        store.add(KEY.public, name, valid_until=until, packages=packages)

    assert not store.directory.exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tester.yaml", "valid_untill: 2027-01-01"),
        ("tester.yaml", "revoked: {reason: lost}"),
        ("tester.yaml", "{"),
        ("tester.pub", "nonsense"),
    ],
)
def test_a_file_that_cannot_be_read_ends_all_trust(
    store: TrustStore, file: str, content: str
) -> None:
    store.add(KEY.public, "tester")
    store.add(OTHER_KEY.public, "other")
    (store.directory / file).write_text(content)

    with pytest.raises(ConfigError):
        store.check(OTHER_KEY.public.id, "web", NOW)


@pytest.mark.parametrize("file", ["", "tester.pub", "tester.yaml"])
def test_a_file_that_a_stranger_may_write_ends_all_trust(store: TrustStore, file: str) -> None:
    store.add(KEY.public, "tester", packages=["web"])
    (store.directory / file).chmod(0o777)

    with pytest.raises(ConfigError, match="everyone may write it"):
        store.keys()


def test_a_reason_is_one_line(store: TrustStore) -> None:
    store.add(KEY.public, "tester")

    with pytest.raises(InvalidError, match="reason: must be one line"):
        store.revoke("tester", "stolen\nrevoked: no")


def test_a_revoked_key_is_revoked_under_every_id(store: TrustStore) -> None:
    store.add(KEY.public, "tester")
    store.revoke("tester", "stolen")
    renamed = replace(KEY.public, number=b"another!")
    (store.directory / "again.pub").write_text(renamed.render())

    with pytest.raises(RevokedKeyError):
        store.check(renamed.id, "web", NOW)


def test_a_key_cannot_be_trusted_again_under_another_id(store: TrustStore) -> None:
    store.add(KEY.public, "tester")

    with pytest.raises(RequestError, match='is known as "tester"'):
        store.add(replace(KEY.public, number=b"another!"), "again")
