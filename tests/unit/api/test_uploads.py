"""Bundles that are sent: taken in as files, given to the manager, and deleted in time."""

import fcntl
import io
import os
import stat
import threading
import time

import pytest

from opmas.api import uploads as limits
from opmas.api.retention import LONGEST, Retention
from opmas.api.uploads import Uploads
from opmas.errors import BackendError, DiskSpaceError
from tests.integration.api.service import until

PATH = "/v1/packages/demo/versions/1.1.0"
BUNDLE = {"Content-Type": "application/vnd.opmas.bundle"}
LIMIT = 1 << 20


@pytest.fixture
def directory(folder):
    return folder / "uploads"


@pytest.fixture
def uploads(directory):
    return Uploads(str(directory), LIMIT)


def files(directory):
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def test_a_bundle_becomes_a_change(client, manager, directory):
    answer = client.put(PATH, data=b"bundle" * 1000, headers=BUNDLE)

    change = answer.json["change"]
    method, params = manager.calls[-1]
    assert (answer.status_code, change["after"]) == (202, {"version": "1.1.0"})
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert method == "package.install"
    assert params == {
        "upload": params["upload"],
        "name": "demo",
        "version": "1.1.0",
        "author": "token:ci",
    }
    assert len(params["upload"]) == 32


def test_the_worker_finds_the_bundle_as_it_was_sent(client, manager, directory):
    manager.host.ledger.by_hand = True

    client.put(PATH, data=b"bundle" * 1000, headers=BUNDLE)

    file = directory / f"{manager.calls[-1][1]['upload']}.opmas"
    assert file.read_bytes() == b"bundle" * 1000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert files(directory) == [file.name]


def test_who_waits_is_told_that_it_is_done(client, manager):
    answer = client.put(f"{PATH}?wait=5", data=b"bundle", headers=BUNDLE)

    assert (answer.status_code, answer.json["change"]["state"]) == (200, "committed")


def test_an_install_can_be_tried_out(client, directory):
    answer = client.put(f"{PATH}?dry_run=true", data=b"bundle", headers=BUNDLE)

    assert (answer.status_code, answer.json["plan"]["kind"]) == (200, "install")
    assert files(directory) == []


def test_what_the_manager_refuses_is_not_kept(client, manager, directory):
    manager.host.uploads = Everything("demo", "2.0.0")

    answer = client.put(PATH, data=b"bundle", headers=BUNDLE)

    assert (answer.status_code, answer.json["code"]) == (422, "version-mismatch")
    assert files(directory) == []


class Everything(dict[str, tuple[str, str]]):
    """Says of each upload that it is the same."""

    def __init__(self, *found):
        super().__init__()
        self._found = found

    def get(self, _key, _default=None):
        return self._found


def test_nothing_is_read_when_the_manager_is_away(client, manager, directory):
    manager.stop()

    answer = client.put(PATH, data=b"bundle", headers=BUNDLE)

    assert (answer.status_code, answer.json["code"]) == (503, "manager-unavailable")
    assert files(directory) == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_another_type_is_refused(client, manager, kind):
    answer = client.put(PATH, data=b"bundle", headers={"Content-Type": kind})

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")
    assert "application/vnd.opmas.bundle" in answer.json["detail"]
    assert manager.calls == []


def test_a_body_without_a_length_is_refused(client):
    answer = client.put(PATH, headers=BUNDLE)

    assert (answer.status_code, answer.json["code"]) == (411, "length-required")


@pytest.mark.parametrize("version", ["..", "-1", "1/0", "1%2F0", "1%00", "v" * 65, "1 0", "%0a1"])
def test_a_version_that_is_none_never_reaches_the_manager(client, manager, directory, version):
    answer = client.put(f"/v1/packages/demo/versions/{version}", data=b"b", headers=BUNDLE)

    assert answer.status_code in {404, 422}
    assert manager.calls == []
    assert files(directory) == []


def test_a_bundle_that_is_announced_too_large_is_refused(client, manager, directory):
    answer = client.put(PATH, data=b"x" * (LIMIT + 1), headers=BUNDLE)

    assert (answer.status_code, answer.json["code"]) == (413, "body-too-large")
    assert "larger than 1M" in answer.json["detail"]
    assert files(directory) == []


def test_other_bodies_keep_their_own_limit(client):
    answer = client.put("/v1/agents/web", data=b" " * (LIMIT + 1), content_type="application/json")

    assert answer.status_code == 413


def test_a_token_that_ended_meanwhile_installs_nothing(api, client, manager, directory):
    class Late(io.BytesIO):
        def read(self, *size):
            if self.tell() == 0:
                api.tokens.revoke("ci")
            return super().read(*size)

    answer = client.put(PATH, input_stream=Late(b"bundle"), content_length=6, headers=BUNDLE)

    assert answer.status_code == 401
    assert files(directory) == []
    assert "package.install" not in [method for method, _ in manager.calls]


def test_what_comes_without_a_length_ends_at_the_limit(uploads, directory):
    with pytest.raises(Exception, match="larger than 1M"):
        uploads.receive((b"x" * 65536 for _ in range(20)), None)

    assert files(directory) == []


def test_what_breaks_off_leaves_nothing(uploads, directory):
    def broken():
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(BackendError):
        uploads.receive(broken(), 8)

    assert files(directory) == []


def test_a_disk_without_room_is_found_out_before_a_byte_is_read(directory):
    uploads = Uploads(str(directory), 1 << 60)

    with pytest.raises(DiskSpaceError, match="cannot take the bundle"):
        uploads.receive(iter([b"never read"]), 1 << 59)

    assert files(directory) == []


def test_a_directory_that_cannot_be_used_is_said_so(folder):
    (folder / "file").touch()

    with pytest.raises(BackendError, match="cannot keep the bundle in "):
        Uploads(str(folder / "file" / "uploads"), LIMIT).receive(iter([b"x"]), 1)


def test_only_so_many_are_taken_in_at_once(uploads, directory):
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow():
        begun.release()
        go_on.wait(10)
        yield b"x"

    threads = [
        threading.Thread(target=uploads.receive, args=(slow(), 1)) for _ in range(limits.AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        begun.acquire(timeout=10)

    with pytest.raises(Exception, match="4 bundles are being uploaded"):
        uploads.receive(iter([b"x"]), 1)

    go_on.set()
    for thread in threads:
        thread.join()
    assert len(files(directory)) == limits.AT_ONCE


def test_only_so_many_wait_to_be_installed(uploads):
    for _ in range(limits.HELD):
        uploads.receive(iter([b"x"]), 1)

    with pytest.raises(Exception, match="16 uploaded bundles are not installed yet"):
        uploads.receive(iter([b"x"]), 1)


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(uploads, directory):
    directory.mkdir()
    (directory / ".dead.part").touch()
    with (directory / ".live.part").open("wb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)

        uploads.sweep()

        assert files(directory) == [".live.part"]


@pytest.fixture
def retention(uploads, api):
    retention = Retention(uploads, api.manager.connect, check_every=0.02)
    yield retention
    retention.close()


def test_a_bundle_stays_until_its_change_has_ended(uploads, retention, manager, directory):
    upload = uploads.receive(iter([b"x"]), 1)
    manager.host.ledger.by_hand = True
    change = manager.host.package_install(upload=upload)["change"]["id"]

    retention.keep(upload, change)
    until(lambda: len([c for c in manager.calls if c[0] == "change.show"]) > 2)
    before = files(directory)
    manager.host.ledger.finish(change)

    until(lambda: files(directory) == [])
    assert before == [f"{upload}.opmas"]


def test_a_bundle_of_nobody_stays_an_hour(uploads, retention, directory):
    old, new = (uploads.receive(iter([b"x"]), 1) for _ in range(2))
    past = time.time() - LONGEST - 1
    os.utime(directory / f"{old}.opmas", (past, past))

    retention.begin()

    until(lambda: files(directory) == [f"{new}.opmas"])


def test_a_manager_that_is_away_costs_no_bundle(uploads, retention, manager, directory):
    upload = uploads.receive(iter([b"x"]), 1)
    change = manager.host.package_install(upload=upload)["change"]["id"]
    manager.stop()
    retention.keep(upload, change)
    before = files(directory)

    manager.start()

    until(lambda: files(directory) == [])
    assert before == [f"{upload}.opmas"]


def test_a_change_that_nobody_knows_has_ended(uploads, retention, directory):
    retention.keep(uploads.receive(iter([b"x"]), 1), 4711)

    until(lambda: files(directory) == [])
