"""Programs that a job runs."""

import os
import sys
from pathlib import Path

import pytest

from opmas.errors import BackendError
from opmas.work import children
from opmas.work.children import Child, Log, ask
from tests.lab import wait_for

OPTION = "FD={}"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def run(log: Log, script: str, limit: float = 20, told: list[str] | None = None) -> int:
    """Run the shell script; $FD is where it tells its status."""
    lines: list[str] = [] if told is None else told
    child = Child(["/usr/bin/env", "/bin/sh", "-c", script], log, {})
    return child.run(limit, lines.append, OPTION)


def test_output_and_status_are_told_apart(log: Log) -> None:
    told: list[str] = []

    code = run(
        log, 'echo out; echo err >&2; echo "step: one" >/proc/self/fd/$FD; exit 3', told=told
    )

    assert code == 3
    assert list(log.tail) == ["out", "err"]
    assert told == ["step: one"]


def test_a_program_reads_nothing(log: Log) -> None:
    run(log, "read line || echo nobody answers")

    assert list(log.tail) == ["nobody answers"]


def test_a_program_finds_a_known_environment(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_NOT", "x")

    run(log, "env")

    said = set(log.tail)
    assert "DEBIAN_FRONTEND=noninteractive" in said
    assert "LC_ALL=C.UTF-8" in said
    assert not any(line.startswith("LD_PRELOAD_NOT") for line in said)


def test_a_daemon_that_keeps_the_output_open_holds_nothing_up(log: Log, tmp_path: Path) -> None:
    code = run(log, f"sleep 600 & echo $! > {tmp_path}/pid; echo done")

    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert code == 0
    assert list(log.tail) == ["done"]


def test_all_of_a_program_is_ended_after_the_limit(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "KILL_DELAY", 0.2)
    script = (
        f"sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; echo deep; sleep 600; sleep 600'; true"
    )

    with pytest.raises(BackendError, match="ended after 1 s") as raised:
        run(log, script, limit=1)

    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not Path(f"/proc/{pid}/cmdline").exists() or is_dead(pid), 5, "it is dead")
    assert raised.value.problems == ("deep",)


def test_the_log_is_bounded_and_its_last_lines_are_known(log: Log) -> None:
    run(log, f"yes $(printf %0100d 7) | head -n {children.LOG_SIZE // 50}; echo last")

    assert log.path.stat().st_size <= children.LOG_SIZE
    assert log.tail[-1] == "last"
    assert len(log.tail) == children.TAIL


def test_a_line_without_end_takes_no_memory(log: Log) -> None:
    run(log, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last")

    assert max(len(line) for line in log.tail) <= children.LINE_LENGTH


def test_a_line_of_progress_is_what_stands_last(log: Log) -> None:
    log.write(b"10%\r50%\r100% \x1b[1mbold\n")

    assert list(log.tail) == ["100%  [1mbold"]


def test_a_program_that_is_not_there_is_said(log: Log) -> None:
    with pytest.raises(BackendError, match="cannot run /nothere: no such file"):
        Child(["/nothere"], log, {}).run(1, print, OPTION)


def test_a_question_is_answered() -> None:
    answer = ask("/bin/sh", "-c", "cat; echo no >&2; exit 4", given="text")

    assert (answer.code, answer.stdout, answer.stderr) == (4, "text", "no\n")


def test_a_question_without_an_answer_ends() -> None:
    with pytest.raises(BackendError, match="cannot run"):
        ask(sys.executable, "-c", "import time; time.sleep(60)", limit=0.5)


def is_dead(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
