"""The API as a process: its start, its end, and clients that are slow or hostile."""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.api.service import Follower, Service, until
from tests.promises import promises


@pytest.fixture
def streams(service):
    """40 clients that follow the events."""
    followers = [Follower(service) for _ in range(40)]
    until(lambda: all(follower.connects for follower in followers), 20)
    yield followers
    for follower in followers:
        follower.close()


def read_all(connection):
    with connection:
        data = b""
        while piece := connection.recv(65536):
            data += piece
    return data


def test_a_token_of_the_command_opens_the_running_service(service):
    made = json.loads(service.run("token", "create", "--name", "other", "--json").stdout)
    service.token = made["token"]

    assert service.get("/v1/agents") == (200, {"agents": []})

    service.run("token", "revoke", "other")
    assert service.get("/v1/agents")[0] == 401
    assert made["token"] not in service.log()


def test_the_use_of_a_token_is_shown(service):
    service.get("/v1/agents")

    (token,) = json.loads(service.run("token", "list", "--json").stdout)["tokens"]
    assert token["last_used_at"] is not None


def test_the_service_starts_without_its_manager(idle, manager):
    manager.stop()
    idle.start()
    before = idle.get("/v1/host")[0]

    manager.start()

    assert (before, idle.get("/v1/host")[0]) == (503, 200)


def test_many_streams_leave_room_for_requests(service, streams):
    times = []
    for _ in range(50):
        began_at = time.monotonic()
        status, _ = service.get("/v1/agents")
        times.append(time.monotonic() - began_at)
        assert status == 200

    assert statistics.median(times) < 0.1


def test_the_service_ends_at_once_although_streams_are_open(service, streams):
    assert service.stop() < 3


def test_requests_that_are_being_answered_are_answered(service, manager):
    service.get("/v1/agents")
    manager.deaf = True
    asking = service.raw(
        b"GET /v1/agents HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        + f"Authorization: Bearer {service.token}\r\n\r\n".encode()
    )
    until(lambda: len(manager.calls) > 2)

    manager.deaf = False
    service.process.send_signal(signal.SIGTERM)
    manager.stop()

    answer = read_all(asking)
    promises().hold_text("GET", "/v1/agents", answer)
    assert answer.startswith(b"HTTP/1.1 503 ")


def test_a_worker_that_is_killed_is_replaced(service):
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    (worker,) = [int(pid) for pid in children.read_text().split()]

    os.kill(worker, signal.SIGKILL)

    until(service.answers)


def own_memory(service):
    """Return the bytes of the worker that it shares with nobody."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    rollup = Path(f"/proc/{children.read_text().strip()}/smaps_rollup").read_text()
    return 1024 * sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.M))


def test_the_contract_costs_little_memory(service):
    service.get("/v1/agents")
    before = own_memory(service)

    status, document = service.get("/v1/openapi.json")

    assert (status, document["openapi"]) == (200, "3.1.0")
    assert own_memory(service) - before < 6 << 20  # 14 MiB when what is shared gets copied


def test_the_service_takes_a_socket_from_systemd(idle):
    prefix = ["systemd-socket-activate", "-l", f"127.0.0.1:{idle.port}"]
    prefix += [word for name in idle.environ for word in ("-E", name) if name != "_"]

    idle.environ["OPMAS_API_LISTEN"] = "127.0.0.1:1"
    idle.start(*prefix)

    assert idle.get("/v1/agents")[0] == 200


def test_the_service_tells_systemd_when_it_is_ready(idle, folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "notify"))
        listener.settimeout(10)
        idle.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        idle.start()

        assert b"READY=1" in listener.recv(4096)
        assert listener.recv(4096).startswith(b"STATUS=serving ")


def test_clients_that_say_nothing_hold_nobody_up(service):
    silent = [service.raw() for _ in range(200)]

    began_at = time.monotonic()
    status, _ = service.get("/v1/agents")

    assert status == 200
    assert time.monotonic() - began_at < 2
    for connection in silent:
        connection.close()


def test_a_client_that_never_ends_its_request_is_cut(service):
    slow = [service.raw(b"GET /v1/health HTTP/1.1\r\nX: ") for _ in range(200)]

    status, _ = service.get("/v1/agents", timeout=8)

    assert status == 200
    assert [connection.recv(1) for connection in slow[:5]] == [b""] * 5
    for connection in slow:
        connection.close()


BOTH_LENGTHS = b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\nA b: c\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /v1/health HTTP/1.1\r\nContent-Length: +5\r\n\r\n12345", 400),
        (b"GET /v1/health HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n1234567890", 400),
        (b"GET /v1/health HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345", 400),
        (b"PUT /v1/agents/a HTTP/1.1\r\n" + BOTH_LENGTHS + b"0\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /v1/health HTTP/1.1\r\nX: " + b"a" * 5000 + b"\r\n\r\n", 431),
        (b"GET /v1/health HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_is_a_problem_too(service, request_, status):
    answer = read_all(service.raw(request_))

    body = answer.split(b"\r\n\r\n", 1)[1]
    promises().hold_problem(status, body)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["code"] == "invalid-request"


def test_a_header_with_an_underscore_is_no_header(service):
    answer = read_all(
        service.raw(
            b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"SCRIPT_NAME: /v1\r\nCONTENT_LENGTH: 5\r\n\r\n"
        )
    )

    promises().hold_text("GET", "/v1/health", answer)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_without_a_length_has_a_limit_too(service):
    pieces = (b" " * 65536 for _ in range(20))
    with closing(service.connection(10)) as client:
        client.request(
            "PUT",
            "/v1/agents/web",
            body=pieces,
            headers=service.headers(**{"Content-Type": "application/json"}),
            encode_chunked=True,
        )

        assert client.getresponse().status == 413


def test_a_wrong_setting_ends_the_start_with_a_reason(idle):
    idle.environ["OPMAS_API_THREADS"] = "many"

    with pytest.raises(subprocess.CalledProcessError) as caught:
        idle.run()

    assert caught.value.returncode == 78
    assert "OPMAS_API_THREADS: must be a whole number" in caught.value.stderr


def test_nothing_of_a_request_is_in_the_log(service: Service):
    service.get("/v1/agents?secret=1")
    service.raw(b"GET /secret HTTP/1.1\r\nA b: c\r\n\r\n").close()

    service.stop()

    assert [line for line in service.log().splitlines() if " INFO " not in line] == []
    assert "secret" not in service.log()
