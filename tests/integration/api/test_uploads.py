"""Bundles and other bodies over HTTP: of any size, in pieces, broken off, and never ending."""

import json
import os
import re
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.api.service import until
from tests.promises import promises

PATH = "/v1/packages/demo/versions/1.1.0"
BUNDLE = {"Content-Type": "application/vnd.opmas.bundle"}
SIZE = 64 << 20
PIECE = bytes(1 << 20)
MEMORY = 12 << 20  # bytes that the worker may grow by; whole, the bundle takes more than 64 MiB


def pieces():
    for _ in range(SIZE // len(PIECE)):
        yield PIECE


def worker(service):
    """Return the process that answers."""
    main = Path(f"/proc/{service.process.pid}")
    (pid,) = (main / "task" / main.name / "children").read_text().split()
    return Path("/proc") / pid


def peak(process):
    found = re.search(r"^VmHWM:\s+(\d+) kB", (process / "status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def processor_ticks(process):
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def put(service, body, *, chunked=False, **headers):
    with closing(service.connection(60)) as client:
        sent = service.headers(**BUNDLE, **headers)
        client.request("PUT", PATH, body=body, headers=sent, encode_chunked=chunked)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())


def head(service, *lines):
    """Return the head of a PUT, as bytes."""
    all_lines = [
        f"PUT {PATH} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {service.token}",
        "Content-Type: application/octet-stream",
        *lines,
    ]
    return "\r\n".join([*all_lines, "", ""]).encode()


def left_over(folder):
    uploads = folder / "uploads"
    return [path.name for path in uploads.iterdir()] if uploads.exists() else []


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_bundle_takes_no_memory(service, manager, folder, chunked):
    manager.host.ledger.by_hand = True
    assert put(service, b"warm up")[0] == 202
    before = peak(worker(service))
    headers = {} if chunked else {"Content-Length": str(SIZE)}

    status, answer = put(service, pieces(), chunked=chunked, **headers)

    grown = peak(worker(service)) - before
    file = folder / "uploads" / f"{manager.calls[-1][1]['upload']}.opmas"
    assert (status, answer["change"]["kind"]) == (202, "install")
    assert file.stat().st_size == SIZE
    assert grown < MEMORY


def test_a_bundle_without_a_length_ends_at_the_limit(idle, folder):
    idle.environ["OPMAS_API_UPLOAD_LIMIT"] = "1M"
    idle.start()

    connection = idle.raw(head(idle, "Transfer-Encoding: chunked"))
    for _ in range(17):
        connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
    status = connection.recv(100)
    connection.close()

    assert status.startswith(b"HTTP/1.1 413 ")
    assert left_over(folder) == []


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("Content-Length: 1000", b"half"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf"),
        ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n"),
        ("Transfer-Encoding: chunked", b""),
    ],
)
def test_clients_that_leave_within_a_body_hold_nothing(service, folder, line, sent):
    for _ in range(80):  # more than there are threads
        service.raw(head(service, line) + sent).close()

    until(lambda: service.get("/v1/agents")[0] == 200)
    until(lambda: left_over(folder) == [])
    before = processor_ticks(worker(service))
    status, _ = service.get("/v1/changes/1?wait=1")
    assert status == 404
    assert service.get("/v1/events?wait=1")[0] == 200
    assert processor_ticks(worker(service)) - before < 50  # of 100 a second


def test_what_cannot_be_read_is_said_so(service, folder):
    last = head(service, "Transfer-Encoding: chunked", "Connection: close")

    with service.raw(last + b"no size\r\n") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    promises().hold_text("PUT", PATH, answer)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the size of a chunk cannot be read" in answer
    assert left_over(folder) == []


def test_a_silent_client_is_told_that_it_took_too_long(service, folder):
    last = head(service, "Content-Length: 1000", "Connection: close")

    with service.raw(last + b"half") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    promises().hold_text("PUT", PATH, answer)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert left_over(folder) == []


def test_a_connection_goes_on_after_a_body(service):
    with closing(service.connection(20)) as client:
        answers = []
        for body in (iter([b"abc"]), b"abc", iter([b"a", b"bc"]), b"abc"):
            client.request("PUT", PATH, body=body, headers=service.headers(**BUNDLE))
            answer = client.getresponse()
            answers.append((answer.status, len(answer.read()) > 0, client.sock))

    assert answers == [(202, True, answers[0][2])] * 4


def test_a_body_that_nobody_wanted_is_passed_over(service):
    unwanted = (
        f"GET /v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.token}\r\n"
        "Content-Length: 100000\r\n\r\n"
    ).encode() + bytes(100_000)
    last = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    with service.raw(unwanted + last) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"200"]


def test_what_a_killed_worker_left_is_swept_by_the_next(service, folder):
    with service.raw(head(service, "Content-Length: 1000") + b"half"):
        until(lambda: left_over(folder) != [])
        (before,) = left_over(folder)

        os.kill(int(worker(service).name), signal.SIGKILL)

        until(lambda: left_over(folder) == [])
        assert before.endswith(".part")


def test_the_file_is_gone_soon_after_its_change(service, manager, folder):
    manager.host.ledger.by_hand = True
    change = put(service, b"bundle")[1]["change"]["id"]
    before = left_over(folder)

    manager.host.ledger.finish(change)

    until(lambda: left_over(folder) == [], 15)
    assert len(before) == 1


def test_a_change_is_followed_to_its_end(service, manager):
    manager.host.ledger.by_hand = True
    change = put(service, b"bundle")[1]["change"]["id"]
    timer = threading.Timer(0.2, manager.host.ledger.finish, (change,))
    timer.start()

    with closing(service.connection(20)) as client:
        headers = service.headers(Accept="text/event-stream")
        client.request("GET", f"/v1/changes/{change}", headers=headers)
        text = client.getresponse().read().decode()
    timer.join()

    told = [json.loads(data)["state"] for data in re.findall(r"^data: (.*)$", text, re.MULTILINE)]
    assert (told[0], told[-1]) == ("planned", "committed")
