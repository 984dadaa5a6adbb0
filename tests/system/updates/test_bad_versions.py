"""Updates to bad versions: undone, refused, or not caught, as docs/explanation/updates.md says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.updates import corpus
from tests.system.updates.packages import GOOD, NEXT
from tests.system.updates.report import render
from tests.system.updates.story import quantile
from tests.system.updates.versions import BAD_VERSIONS, BadVersion, End

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tests.system.updates.corpus import Outcome
    from tests.system.updates.ground import Ground

PAGE = Path(__file__).resolve().parents[3] / "docs/explanation/updates.md"
AIM = 10.0  # seconds, of what shows at once


@pytest.fixture(scope="module")
def outcomes(ground: Ground) -> dict[str, Future[Outcome]]:
    """What came of the updates, which all go on side by side."""
    return corpus.run(ground)


def versions(end: End) -> pytest.MarkDecorator:
    found = [bad for bad in BAD_VERSIONS if bad.end is end]
    return pytest.mark.parametrize("bad", found, ids=[bad.name for bad in found])


@versions(End.UNDONE)
def test_a_bad_version_is_undone_and_the_agent_serves_as_before(
    outcomes: dict[str, Future[Outcome]], bad: BadVersion
):
    outcome = outcomes[bad.name].result()

    change, after, data = outcome.change, outcome.after, outcome.data_after
    assert (change["state"], change["reason"] in bad.reasons) == ("reverted", True), change
    assert (after["phase"], after["version"], after["health"]) == ("running", GOOD, "healthy")
    assert data is not None
    assert data["note"] == "precious"
    assert data["count"] > outcome.data_before["count"]
    # what shows near the end of the window is decided then, and takes a stop and a start
    assert outcome.story.outage <= change["window"] + AIM


@versions(End.REFUSED)
def test_a_version_that_does_not_fit_is_refused_and_nothing_is_touched(
    outcomes: dict[str, Future[Outcome]], bad: BadVersion
):
    outcome = outcomes[bad.name].result()

    change, before, after = outcome.change, outcome.before, outcome.after
    assert (change["state"], change["reason"] in bad.reasons) == ("refused", True), change
    assert (after["version"], after["main_pid"]) == (GOOD, before["main_pid"])


@versions(End.KEPT)
def test_what_is_not_caught_is_kept_and_published(
    outcomes: dict[str, Future[Outcome]], bad: BadVersion
):
    outcome = outcomes[bad.name].result()

    change = outcome.change
    assert (change["state"], change["reason"] in bad.reasons) == ("committed", True), change
    assert outcome.after["version"] == NEXT
    assert bad.note in PAGE.read_text()


@versions(End.LEFT)
def test_what_cannot_be_mended_is_said_and_published(
    outcomes: dict[str, Future[Outcome]], bad: BadVersion
):
    outcome = outcomes[bad.name].result()

    change = outcome.change
    assert (change["state"], change["reason"] in bad.reasons) == ("revert-failed", True), change
    assert change["facts"][-1] == f'Agent "{bad.name}" does not run again.'
    assert bad.note in PAGE.read_text()


def test_what_shows_at_once_is_mended_within_seconds(
    outcomes: dict[str, Future[Outcome]],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
):
    found = [outcome.result() for outcome in outcomes.values()]

    at_once = [each.story.outage for each in found if each.bad.at_once]
    report = render(found)
    with capsys.disabled():
        print(f"\n{report}")
    (tmp_path_factory.getbasetemp() / "bad-versions.md").write_text(report)
    assert quantile(at_once, 0.95) <= AIM
