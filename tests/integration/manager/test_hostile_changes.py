"""Who means harm with changes: what the manager is told, and how much is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opmas.core.change import queue
from opmas.core.job import TOLD_LENGTH, JobKind, Outcome
from opmas.errors import AccessDeniedError, BackendError
from opmas.manager.control import caller
from tests.integration.manager import stock
from tests.integration.manager.place import Place
from tests.loop import in_loop

if TYPE_CHECKING:
    from pathlib import Path

NAMED_BY_AN_AGENT = "\x1b[2J\udcff\u202eevil"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@in_loop
async def test_a_failure_that_quotes_an_agents_file_ends_the_change(place: Place):
    failed = Outcome(ok=False, code="unavailable", message=f"cannot copy {NAMED_BY_AN_AGENT}")
    place.worker.told[JobKind.INSTALL] = lambda _job: failed
    async with place:
        answer = await place.call("package.install", file=str(stock.bundle()), wait=10)

        change = answer["change"]
        assert (change["state"], change["message"]) == (
            "refused",
            r"cannot copy \x1b[2J\udcff\u202eevil",
        )


@in_loop
async def test_a_failure_that_quotes_a_whole_file_is_cut(place: Place):
    failed = Outcome(ok=False, code="unavailable", message="x" * 1_000_000, problems=("y" * 9999,))
    place.worker.told[JobKind.INSTALL] = lambda _job: failed
    async with place:
        answer = await place.call("package.install", file=str(stock.bundle()), wait=10)

        assert len(answer["change"]["message"]) == len(answer["change"]["facts"][0]) == TOLD_LENGTH


@in_loop
async def test_one_subject_has_only_so_many_changes_waiting(place: Place):
    place.worker.hangs.add(JobKind.INSTALL)
    async with place:
        for _ in range(queue.MOST_OF_ONE):
            await place.call("package.install", file=str(stock.bundle()))

        with pytest.raises(BackendError, match="try again when some have"):
            await place.call("package.install", file=str(stock.bundle()))
        other = await place.call("package.install", file=str(stock.bundle("doze")))

        assert other["change"]["state"] in {"planned", "applying"}
        place.worker.go_on()


@in_loop
async def test_a_host_has_only_so_many_changes_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "MOST", 3)
    place.worker.hangs.add(JobKind.INSTALL)
    async with place:
        for name in ("a", "b", "c"):
            await place.call("package.install", name=name, file=str(stock.bundle()))

        with pytest.raises(BackendError, match="3 of this host"):
            await place.create(desired="stopped")
        planned = await place.call("package.install", file=str(stock.bundle()), dry_run=True)

        assert planned["change"]["state"] == "planned"
        place.worker.go_on()


@in_loop
async def test_a_delivery_that_leads_nowhere_holds_nothing_up(place: Place):
    place.delivered.mkdir()
    (place.delivered / "aa-1.0.0.opmas").symlink_to("/nowhere")
    (place.delivered / "-.opmas").write_bytes(b"")
    (place.delivered / "web-no version.opmas").write_bytes(b"")
    async with place:
        place.add_package("later")

        await place.call("package.scan")

        assert (await place.call("package.show", name="later"))["state"] == "ready"


@pytest.mark.parametrize("user", [1, 65534])
@in_loop
async def test_a_debian_package_in_a_file_is_installed_for_root_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, user: int
):
    monkeypatch.setattr(caller, "user_of", lambda _writer: user)
    async with place:
        with pytest.raises(AccessDeniedError, match="its scripts are root's"):
            await place.call("package.install", file="/tmp/opmas-agent-web_1.0_all.deb")
        other = await place.call("package.install", file=str(stock.bundle()), wait=10)

        assert other["change"]["state"] == "committed"
        assert not [job for job in place.worker.runs if job.kind is JobKind.APT_INSTALL]


@in_loop
async def test_who_is_at_the_other_end_is_known(place: Place):
    place.worker.told[JobKind.APT_INSTALL] = lambda _job: Outcome(ok=False, message="asked apt")
    async with place:  # as who runs this test, who is the manager's own user
        answer = await place.call(
            "package.install", file="/tmp/opmas-agent-web_1.0_all.deb", wait=10
        )

        assert answer["change"]["message"] == "asked apt"
