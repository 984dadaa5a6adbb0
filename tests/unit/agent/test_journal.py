"""Where log records go."""

import io
import logging
import os
import socket
import sys

import pytest

from opmas.agent.journal import (
    AgentLog,
    JournalHandler,
    StderrHandler,
    encoded_entry,
    field_name,
    is_journal,
)


@pytest.fixture
def journald(tmp_path):
    """Return journald's end of its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def log_to():
    """Return a function that gives an agent's log with the handler."""
    logger = logging.getLogger("tests.agent.journal")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    handlers = []

    def attach(handler):
        handlers.append(handler)
        logger.addHandler(handler)
        return AgentLog(logger, {})

    yield attach
    for handler in handlers:
        logger.removeHandler(handler)
        handler.close()


def decoded(datagram):
    """Return the fields of an entry (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)."""
    fields = {}
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if equals:
            fields[name.decode()], datagram = value.decode(), rest
        else:
            end = 8 + int.from_bytes(rest[:8], "little")
            fields[name.decode()], datagram = rest[8:end].decode(), rest[end + 1 :]
    return fields


def test_a_record_is_one_entry_with_its_fields(journald, log_to):
    log = log_to(JournalHandler("web", journald.getsockname()))

    log.warning("%s is full", "/srv", mount="/srv", percent=93)

    entry = decoded(journald.recv(65536))
    assert entry["MESSAGE"] == "/srv is full"
    assert entry["PRIORITY"] == "4"
    assert entry["OPMAS_AGENT"] == "web"
    assert entry["SYSLOG_IDENTIFIER"] == "web"
    assert (entry["MOUNT"], entry["PERCENT"]) == ("/srv", "93")
    assert entry["CODE_FUNC"] == "test_a_record_is_one_entry_with_its_fields"
    assert entry["CODE_FILE"] == __file__
    assert int(entry["CODE_LINE"]) > 0


def test_fields_can_be_given_as_extra_too(journald, log_to):
    log = log_to(JournalHandler("web", journald.getsockname()))

    log.info("full", extra={"fields": {"mount": "/srv"}})

    assert decoded(journald.recv(65536))["MOUNT"] == "/srv"


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")],
)
def test_levels_become_priorities(journald, log_to, level, priority):
    log = log_to(JournalHandler("web", journald.getsockname()))

    getattr(log, level)("x")

    assert decoded(journald.recv(65536))["PRIORITY"] == priority


def test_a_traceback_stays_with_its_message(journald, log_to):
    log = log_to(JournalHandler("web", journald.getsockname()))

    log.error("broken", exc_info=ZeroDivisionError("by zero"))

    message = decoded(journald.recv(65536))["MESSAGE"]
    assert message == "broken\nZeroDivisionError: by zero"


def test_a_value_cannot_smuggle_in_a_field(journald, log_to):
    log = log_to(JournalHandler("web", journald.getsockname()))

    log.info("a\nPRIORITY=0", mount="x\n_PID=1\n")

    entry = decoded(journald.recv(65536))
    assert entry["MESSAGE"] == "a\nPRIORITY=0"
    assert entry["MOUNT"] == "x\n_PID=1\n"
    assert entry["PRIORITY"] == "6"
    assert "_PID" not in entry


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("mount", "MOUNT"),
        ("mount-point", "MOUNT_POINT"),
        ("_pid", "FIELD_PID"),
        ("2nd", "FIELD_2ND"),
        ("message", "FIELD_MESSAGE"),
        ("code_file", "FIELD_CODE_FILE"),
        ("x" * 100, "X" * 64),
    ],
)
def test_a_keyword_becomes_a_field_name_that_journald_takes(name, field):
    assert field_name(name) == field


def test_a_value_of_one_line_is_plain_and_of_several_has_its_length():
    entry = encoded_entry([("A", "x=y"), ("B", "1\n2")])

    assert entry == b"A=x=y\nB\n\x03\0\0\0\0\0\0\x001\n2\n"


def test_without_journalds_socket_the_record_goes_to_stderr(tmp_path, log_to, capsys):
    log = log_to(JournalHandler("web", str(tmp_path / "gone")))

    log.error("two\nlines", mount="/")

    assert capsys.readouterr().err == "<3>two mount=/\n<3>lines\n"


def test_an_entry_that_is_too_large_goes_to_stderr(journald, log_to, capsys):
    log = log_to(JournalHandler("web", journald.getsockname()))

    log.info("x" * 1_000_000)

    assert capsys.readouterr().err.startswith("<6>xxx")


def test_a_journald_that_does_not_read_blocks_nobody_for_long(journald, log_to, capsys):
    log = log_to(JournalHandler("web", journald.getsockname()))

    for _ in range(12):
        log.info("x" * 100_000)

    assert "xxx" not in capsys.readouterr().err


def test_on_a_terminal_records_are_plain_text(log_to):
    stream = io.StringIO()
    log = log_to(StderrHandler(prefixed=False, stream=stream))

    log.info("first\nsecond", mount="/")

    assert stream.getvalue() == "info: first mount=/\nsecond\n"


def test_text_that_is_no_unicode_is_still_written(log_to):
    stream = io.StringIO()
    log = log_to(StderrHandler(prefixed=False, stream=stream))

    log.info("\udcff")

    assert stream.getvalue() == "info: \\udcff\n"


def test_a_closed_stderr_hurts_nobody(log_to):
    stream = io.StringIO()
    stream.close()
    log = log_to(StderrHandler(prefixed=True, stream=stream))

    log.info("x")

    assert stream.closed


def test_only_the_stderr_that_systemd_connected_counts_as_the_journal():
    stat = os.fstat(2)

    assert is_journal(f"{stat.st_dev}:{stat.st_ino}")
    assert not is_journal(f"{stat.st_dev}:{stat.st_ino + 1}")
    assert not is_journal("")
    assert not is_journal("x:y")
    assert sys.stderr is not None
