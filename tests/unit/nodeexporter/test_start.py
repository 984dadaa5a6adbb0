"""The two programs of the package, run as systemd runs them."""

import http.server
import json
import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.nodeexporter.exporter import PACKAGE

# Stands in for prometheus-node-exporter: has one collector, and tells how it was called and what
# the socket that it was given listens on.
EXPORTER = """#!/usr/bin/python3 -I
import os, socket, sys
if sys.argv[1] == "--help":
    sys.exit("  --collector.cpu  Enable it")
assert os.environ["LISTEN_PID"] == str(os.getpid()) and os.environ["LISTEN_FDS"] == "1"
host, port, *_ = socket.socket(fileno=3).getsockname()
print(host, port, *sys.argv[1:], sep="\\n")
"""


@pytest.fixture
def exporter(tmp_path):
    path = tmp_path / "exporter"
    path.write_text(EXPORTER)
    path.chmod(0o755)
    return path


@pytest.fixture
def environment(tmp_path):
    credentials = tmp_path / "credentials"
    state = tmp_path / "state"
    credentials.mkdir()
    state.mkdir()
    return {"CREDENTIALS_DIRECTORY": str(credentials), "STATE_DIRECTORY": str(state)}


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with the status of its class."""

    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *arguments): ...


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def serving(port):
    with http.server.HTTPServer(("127.0.0.1", port), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def run(program, environment, *arguments):
    return subprocess.run(
        [PACKAGE / "bin" / program, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def configure(environment, config):
    path = Path(environment["CREDENTIALS_DIRECTORY"], "config.json")
    path.write_text(json.dumps(config))


def test_it_becomes_the_program_with_its_configuration_and_its_socket(exporter, environment, port):
    configure(environment, {"config": {"port": port, "collectors": {"enable": ["cpu"]}}})

    done = run("node-exporter", environment, str(exporter))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:6] == [
        "127.0.0.1",
        str(port),
        "--web.systemd-socket",
        "--log.level=warn",
        "--collector.textfile.directory=/var/lib/prometheus/node-exporter",
        "--collector.cpu",
    ]


def test_it_says_that_it_is_ready_when_its_port_is_open(exporter, environment, port, tmp_path):
    configure(environment, {"config": {"port": port}})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)

        run("node-exporter", {**environment, "NOTIFY_SOCKET": f"{tmp_path}/notify"}, str(exporter))

        assert systemd.recv(100) == b"READY=1"


def test_a_port_that_is_taken_is_named(exporter, environment, port):
    configure(environment, {"config": {"port": port}})

    with serving(port):
        done = run("node-exporter", environment, str(exporter))

    assert done.returncode == 1
    assert done.stderr == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_by_hand_it_takes_a_configuration_file(exporter, tmp_path, port):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"config": {"port": port}}))

    done = run("node-exporter", {"OPMAS_AGENT_CONFIG": str(path)}, str(exporter))

    assert done.stdout.startswith(f"127.0.0.1\n{port}\n")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"config": {"port": 1}}, "port: must be a whole number"),
        ({"config": {"collectors": {"enable": ["cpus"]}}}, "did you mean cpu?"),
        ({"config": []}, "config must be an object"),
        ([], "cannot read"),
    ],
)
def test_a_wrong_configuration_is_not_tried_again(exporter, environment, document, said):
    configure(environment, document)

    done = run("node-exporter", environment, str(exporter))

    assert (done.returncode, done.stdout) == (78, "")
    assert said in done.stderr


def test_a_program_that_is_not_there_is_named(environment, tmp_path):
    configure(environment, {"config": {}})

    done = run("node-exporter", environment, str(tmp_path / "none"))

    assert done.returncode == 1
    assert "none for its collectors: " in done.stderr
    assert "No such file" in done.stderr


def test_without_a_program_it_says_how_it_is_used(environment):
    done = run("node-exporter", environment)

    assert (done.returncode, done.stderr) == (2, "usage: node-exporter PROGRAM\n")


def test_the_check_asks_where_the_exporter_was_started(exporter, environment, port):
    configure(environment, {"config": {"port": port}})
    run("node-exporter", environment, str(exporter))

    with serving(port):
        done = run("check", environment)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_fails_when_the_exporter_answers_with_an_error(
    exporter, environment, port, monkeypatch
):
    configure(environment, {"config": {"port": port}})
    run("node-exporter", environment, str(exporter))
    monkeypatch.setattr(Answer, "status", 503)

    with serving(port):
        done = run("check", environment)

    assert done.returncode == 1
    assert "HTTP status 503" in done.stderr


def test_the_check_fails_when_nothing_was_started(environment):
    done = run("check", environment)

    assert done.returncode == 1
    assert "the exporter does not answer" in done.stderr
