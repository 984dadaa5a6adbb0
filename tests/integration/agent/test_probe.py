"""The health check over HTTP and TCP, against servers on the loopback interface."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:].partition("?")[0]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def deaf() -> Iterator[str]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def probe(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-sP", "-m", "opmas.agent.probe", *arguments],
        env={"PYTHONPATH": ".", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.mark.parametrize("path", ["/200", "/204", "/302", "/200?full=1"])
def test_a_server_that_answers_is_well(server: str, path: str) -> None:
    done = probe("http", f"http://{server}{path}", "5")

    assert done.returncode == 0
    assert done.stderr.startswith(f"http://{server}{path}: {path[1:4]} ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("status", ["404", "503"])
def test_a_server_that_answers_with_an_error_is_not_well(server: str, status: str) -> None:
    done = probe("http", f"http://{server}/{status}", "5")

    assert done.returncode == 1
    assert f": {status} " in done.stderr


def test_a_server_that_says_nothing_is_not_well_in_time(deaf: str) -> None:
    done = probe("http", f"http://{deaf}/", "0.2")

    assert (done.returncode, done.stderr) == (1, f"http://{deaf}/: no answer within 0.2 s\n")


def test_a_port_that_accepts_is_well(deaf: str) -> None:
    done = probe("tcp", deaf, "5")

    assert done.returncode == 0
    assert done.stderr.startswith(f"{deaf}: connected in ")


@pytest.mark.parametrize(("kind", "scheme"), [("tcp", ""), ("http", "http://")])
def test_a_port_where_nobody_listens_is_not_well(closed_port: str, kind: str, scheme: str) -> None:
    done = probe(kind, f"{scheme}{closed_port}", "5")

    assert (done.returncode, done.stderr) == (1, f"{scheme}{closed_port}: Connection refused\n")


def test_in_the_journal_a_failure_is_a_warning(closed_port: str) -> None:
    done = probe("tcp", closed_port, "5", JOURNAL_STREAM="8:1")

    assert done.stderr.startswith("<4>")


@pytest.mark.parametrize(
    "arguments", [(), ("udp", "a:1", "1"), ("tcp", "a", "1"), ("http", "ftp://a", "1")]
)
def test_a_wrong_use_is_said(arguments: tuple[str, ...]) -> None:
    done = probe(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("usage: python3 -m opmas.agent.probe")
