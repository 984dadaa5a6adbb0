"""One job, done by the worker's process: what it writes down, whatever comes."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opmas.core.documents.settings import ManagerSection, Settings
from opmas.core.job import load_outcome, load_progress
from opmas.work import worker
from opmas.work.task import Report
from tests.lab import wait_for

ROOT = Path(__file__).parents[3]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


def put(state: Path, kind: str, job: str = "1-1", **params: Any) -> Path:
    folder = state / "jobs" / job
    folder.mkdir(exist_ok=True)
    document = {"id": "1-1", "kind": kind, "params": params}
    (folder / "job.json").write_text(json.dumps(document))
    return folder


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    load_outcome(found)
    return found


def start(state: Path, job: str = "1-1") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "opmas.work", job, "--state", str(state), "--config", str(state)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(state: Path, job: str = "1-1") -> tuple[int, str]:
    with start(state, job) as process:
        _, said = process.communicate(timeout=30)
    return process.returncode, said


def settings(state: Path) -> Settings:
    return Settings(manager=ManagerSection(state_dir=str(state)))


def test_a_job_is_done_and_its_result_written(state: Path) -> None:
    folder = put(state, "discard", snapshot="s1")

    code, said = run(state)

    assert (code, said) == (0, "")
    assert result(folder) == {"ok": True, "code": "", "message": "", "problems": [], "result": {}}


def test_a_job_that_cannot_be_done_is_a_result_as_well(state: Path) -> None:
    folder = put(state, "restore", agent="web", snapshot="s1")

    code, said = run(state)

    assert code == 0
    assert result(folder)["code"] == "invalid-value"
    assert said.startswith("<3>cannot use the snapshot s1")


def test_all_wrong_parameters_are_named(state: Path) -> None:
    folder = put(state, "snapshot", agent="Web", extra=1)

    run(state)

    assert result(folder)["problems"] == [
        'params.agent: must be the name of an agent, not "Web"',
        "params.snapshot: is missing",
        "params.extra: unknown key",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "1-1"}', '{"id": "1-1", "kind": "x"}'])
def test_a_job_that_cannot_be_read_is_a_result_as_well(state: Path, text: str) -> None:
    folder = put(state, "discard")
    (folder / "job.json").write_text(text)

    code, _ = run(state)

    assert code == 0
    assert result(folder)["code"] == "invalid-value"


def test_a_job_in_the_place_of_another_is_refused(state: Path) -> None:
    folder = put(state, "discard", job="2-1", snapshot="s1")

    run(state, "2-1")

    assert result(folder)["message"] == "cannot do the job 2-1: its file is of the job 1-1"


@pytest.mark.parametrize("job", ["", "..", "1", "1-1/..", "x"])
def test_what_is_no_job_is_refused(state: Path, job: str) -> None:
    code, said = run(state, job)

    assert code == 78
    assert "a job is named like 17-2" in said


def test_a_job_that_nobody_gave_is_a_result_as_well(state: Path) -> None:
    code, _ = run(state, "3-1")

    assert code == 0
    assert "job.json" in result(state / "jobs" / "3-1")["message"]


def test_a_result_that_cannot_be_written_is_a_failure(state: Path) -> None:
    (state / "jobs" / "1-1").write_text("in the way")

    code, said = run(state)

    assert code == 1
    assert "<3>cannot write down what came of the job" in said


def test_a_wrong_configuration_is_refused(state: Path) -> None:
    put(state, "discard", snapshot="s1")
    (state / "opmas.yaml").write_text("manager: 5\n")

    code, said = run(state)

    assert code == 78
    assert "opmas.yaml" in said


def test_the_result_of_an_earlier_run_is_not_taken_for_this_one(state: Path) -> None:
    folder = put(state, "restore", agent="web", snapshot="s1")
    (folder / "result.json").write_text('{"ok": true}')
    (folder / "progress.json").write_text("{}")

    worker.work("1-1", settings(state))

    assert result(folder)["ok"] is False
    assert not (folder / "progress.json").exists()


def test_a_fault_of_ours_is_a_result_as_well(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = put(state, "discard", snapshot="s1")
    monkeypatch.setattr("opmas.work.snapshots.discard", _broken)

    worker.work("1-1", settings(state))

    assert result(folder)["code"] == "internal-error"
    assert result(folder)["message"] == "cannot do the job: ZeroDivisionError: oh"
    assert "<3>Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (errno.ENOSPC, "no-space", "no space left on device"),
        (errno.EIO, "unavailable", "input/output error"),
    ],
)
def test_an_error_of_the_disk_is_one_to_try_again(
    state: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, reason: str
) -> None:
    folder = put(state, "discard", snapshot="s1")
    monkeypatch.setattr("opmas.work.snapshots.discard", _failing(number))

    worker.work("1-1", settings(state))

    assert result(folder)["code"] == code
    assert result(folder)["message"] == f"cannot do the job: /x: {reason}"


def test_a_job_waits_for_another_to_end(state: Path) -> None:
    folder = put(state, "discard", snapshot="s1")
    with (state / "jobs" / ".lock-data").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(state)
        wait_for(
            lambda: holds(process.pid, state / "jobs" / ".lock-data"), 20, "it is at the lock"
        )
        early = (folder / "result.json").exists()
        fcntl.flock(lock, fcntl.LOCK_UN)
    _, said = process.communicate(timeout=20)

    assert not early
    assert result(folder)["ok"], said


def test_a_job_waits_for_none_of_another_queue(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(state, "discard", snapshot="s1")
    monkeypatch.setattr(worker, "LOCK_LIMIT", 0.1)
    with contextlib.ExitStack() as held:
        for queue in ("apt", "bundles"):
            lock = held.enter_context((state / "jobs" / f".lock-{queue}").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)

        worker.work("1-1", settings(state))

    assert result(folder)["ok"]


def test_a_job_waits_for_another_for_so_long(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(state, "discard", snapshot="s1")
    monkeypatch.setattr(worker, "LOCK_LIMIT", 0.1)
    with (state / "jobs" / ".lock-data").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        worker.work("1-1", settings(state))

    assert result(folder)["code"] == "unavailable"
    assert "another job" in result(folder)["message"]


def test_a_stop_is_written_down(state: Path) -> None:
    folder = put(state, "discard", snapshot="s1")
    with (state / "jobs" / ".lock-data").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(state)
        wait_for(
            lambda: holds(process.pid, state / "jobs" / ".lock-data"), 20, "it is at the lock"
        )
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert result(folder)["message"] == "cannot finish the job: its unit was stopped"


def holds(pid: int, path: Path) -> bool:
    """Whether the process has the file open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(_target(link) == str(path) for link in links)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 -- it may have gone
    except FileNotFoundError:
        return ""


def _broken(_task: object) -> None:
    raise ZeroDivisionError("oh")


def _failing(number: int) -> Callable[[object], None]:
    def does(_task: object) -> None:
        raise OSError(number, os.strerror(number), "/x")

    return does


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def test_a_report_is_told_five_times_a_second_at_most(state: Path, clock: list[float]) -> None:
    report = Report(state, lambda: clock[0])
    seen = []
    for number in range(100):
        clock[0] = number / 100
        report("unpack", number, 100)
        seen.append(load_progress(json.loads((state / "progress.json").read_text())).done)

    assert len(set(seen)) == 5


def test_a_new_step_is_told_at_once(state: Path, clock: list[float]) -> None:
    report = Report(state, lambda: clock[0])

    report("verify", 1, 2)
    report("unpack", 0, 7)

    progress = load_progress(json.loads((state / "progress.json").read_text()))
    assert (progress.step, progress.total) == ("unpack", 7)


def test_a_report_that_cannot_be_written_is_lost(state: Path) -> None:
    report = Report(state / "gone")

    report("verify")


def test_an_error_of_an_open_file_is_a_result_as_well(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(state, "discard", snapshot="s1")

    def fail(_task: object) -> dict[str, Any]:
        raise OSError(errno.EIO, "Input/output error", 7)  # os.setxattr of a descriptor, say

    monkeypatch.setattr("opmas.work.snapshots.discard", fail)

    worker.work("1-1", settings(state))

    assert result(folder)["message"] == "cannot do the job: input/output error"
