"""An agent's state put aside and brought back."""

from pathlib import Path
from typing import Any

import pytest

from opmas.core.job import JobKind
from opmas.errors import BackendError, InvalidError
from opmas.work import kernel, snapshots
from tests.unit.work.tasks import names, task_in


def take(folder: Path, agent: str = "web", name: str = "s1") -> dict[str, Any]:
    return snapshots.snapshot(task_in(folder, JobKind.SNAPSHOT, agent=agent, snapshot=name))


def bring_back(folder: Path, agent: str = "web", name: str = "s1") -> dict[str, Any]:
    return snapshots.restore(task_in(folder, JobKind.RESTORE, agent=agent, snapshot=name))


def discard(folder: Path, name: str = "s1") -> None:
    snapshots.discard(task_in(folder, JobKind.DISCARD, snapshot=name))


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(params=["private", "lib"])
def state(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The agent's directory, as systemd makes it for a dynamic user and for a static one."""
    folder: Path = tmp_path / request.param / "web"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a").write_text("one")
    (folder / "data" / "b").write_text("two")
    (tmp_path / "lib").mkdir(exist_ok=True)
    if request.param == "private":
        (tmp_path / "lib" / "web").symlink_to("../private/web")
    return folder


def test_a_state_comes_back_as_it_was(tmp_path: Path, state: Path) -> None:
    before = contents(state)
    take(tmp_path)
    (state / "data" / "a").write_text("changed")
    (state / "data" / "b").unlink()
    (state / "data" / "new").write_text("new")

    bring_back(tmp_path)

    assert contents(state) == before
    assert names(state.parent) == ["web"]


def test_a_file_that_is_written_in_place_does_not_change_the_snapshot(
    tmp_path: Path, state: Path
) -> None:
    take(tmp_path)
    with (state / "data" / "a").open("r+") as file:
        file.write("ONE")

    bring_back(tmp_path)

    assert (state / "data" / "a").read_text() == "one"


def test_a_snapshot_is_taken_anew_each_time(tmp_path: Path, state: Path) -> None:
    take(tmp_path)
    (state / "data" / "a").write_text("later")
    (state / "data" / "b").unlink()
    before = contents(state)

    take(tmp_path)
    (state / "data" / "a").write_text("worse")
    bring_back(tmp_path)

    assert contents(state) == before
    assert names(tmp_path / "state" / "snapshots" / "s1") == ["web"]


@pytest.mark.parametrize("cut", ["sync_file_system", "exchange"])
def test_a_snapshot_that_is_taken_anew_leaves_a_whole_one_when_it_is_cut_short(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    take(tmp_path)
    before = contents(state)
    (state / "data" / "a").write_text("later")
    with monkeypatch.context() as patch:
        patch.setattr(kernel, cut, _cut)
        with pytest.raises(KeyboardInterrupt):
            take(tmp_path)

    bring_back(tmp_path)

    assert contents(state) == before


def test_a_snapshot_can_be_brought_back_twice(tmp_path: Path, state: Path) -> None:
    take(tmp_path)
    bring_back(tmp_path)
    (state / "data" / "a").write_text("worse")

    bring_back(tmp_path)

    assert (state / "data" / "a").read_text() == "one"


def test_a_snapshot_that_was_cut_short_starts_over(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "sync_file_system", _cut)
        with pytest.raises(KeyboardInterrupt):
            take(tmp_path)
    left = names(tmp_path / "state" / "snapshots" / "s1")

    take(tmp_path)

    assert left == [".web.half"]
    assert names(tmp_path / "state" / "snapshots" / "s1") == ["web"]


@pytest.mark.parametrize("cut", ["sync_file_system", "exchange"])
def test_a_restore_that_was_cut_short_leaves_the_present_state(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    take(tmp_path)
    (state / "data" / "a").write_text("present")
    with monkeypatch.context() as patch:
        patch.setattr(kernel, cut, _cut)
        with pytest.raises(KeyboardInterrupt):
            bring_back(tmp_path)
    meanwhile = (state / "data" / "a").read_text()

    bring_back(tmp_path)

    assert meanwhile == "present"
    assert (state / "data" / "a").read_text() == "one"
    assert names(state.parent) == ["web"]


def test_a_state_that_is_gone_comes_back_to_its_place(tmp_path: Path, state: Path) -> None:
    take(tmp_path)
    before = contents(state)
    state.rename(tmp_path / "away")

    bring_back(tmp_path)

    assert contents(state) == before


def test_an_agent_without_state_has_none_again(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    about = take(tmp_path)
    (tmp_path / "private" / "web").mkdir()
    (tmp_path / "private" / "web" / "new").write_text("new")

    bring_back(tmp_path)

    assert about["absent"] is True
    assert names(tmp_path / "private") == []


def test_a_snapshot_holds_several_agents(tmp_path: Path, state: Path) -> None:
    other = tmp_path / "lib" / "db"
    other.mkdir()
    (other / "file").write_text("of db")
    take(tmp_path)
    take(tmp_path, agent="db")
    (other / "file").write_text("changed")
    (state / "data" / "a").write_text("changed")

    bring_back(tmp_path, agent="db")
    bring_back(tmp_path)

    assert (other / "file").read_text() == "of db"
    assert (state / "data" / "a").read_text() == "one"


@pytest.mark.parametrize(("agent", "name"), [("db", "s1"), ("web", "s2")])
def test_a_snapshot_that_is_not_there_is_refused(
    tmp_path: Path, state: Path, agent: str, name: str
) -> None:
    take(tmp_path)

    with pytest.raises(InvalidError, match=f"snapshot {name}: it has nothing of agent {agent}"):
        bring_back(tmp_path, agent=agent, name=name)


def test_a_snapshot_is_discarded_once_or_twice(tmp_path: Path, state: Path) -> None:
    take(tmp_path)

    discard(tmp_path)
    discard(tmp_path)

    assert names(tmp_path / "state" / "snapshots") == []


def test_a_full_disk_is_said_before_anything_is_copied(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "SPARE", 1 << 60)

    with pytest.raises(BackendError, match="make room"):
        take(tmp_path)

    assert not (tmp_path / "state" / "snapshots" / "s1" / "web").exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb", "x" * 101])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, state: Path, name: str) -> None:
    with pytest.raises(InvalidError, match="snapshot"):
        take(tmp_path, name=name)


@pytest.mark.parametrize("agent", ["", "..", "a/b", "A", ".web.opmas"])
def test_an_agent_that_is_a_path_is_refused(tmp_path: Path, state: Path, agent: str) -> None:
    with pytest.raises(InvalidError, match="agent"):
        take(tmp_path, agent=agent)


def test_progress_is_told_in_bytes(tmp_path: Path, state: Path) -> None:
    (state / "big").write_bytes(b"x" * 3_000_000)

    take(tmp_path)

    told = (tmp_path / "state" / "jobs" / "1-1" / "progress.json").read_text()
    assert '"step": "sync"' in told


def _cut(*_args: object) -> None:
    raise KeyboardInterrupt
