"""The two programs of the package, run as systemd runs them."""

import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.unit.nodeexporter.exporter import PACKAGE

# Stands in for prometheus-node-exporter: has one collector, and tells how it was called.
EXPORTER = """#!/bin/sh
if [ "$1" = --help ]; then echo "  --collector.cpu  Enable it"; exit; fi
printf '%s\\n' "$@"
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
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
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


def test_it_becomes_the_program_with_its_configuration(exporter, environment):
    configure(environment, {"config": {"port": 9300, "collectors": {"enable": ["cpu"]}}})

    done = run("node-exporter", environment, str(exporter))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "--web.listen-address=127.0.0.1:9300",
        "--collector.textfile.directory=/var/lib/prometheus/node-exporter",
        "--collector.cpu",
    ]


def test_by_hand_it_takes_a_configuration_file(exporter, environment, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"config": {"port": 9400}}))

    done = run("node-exporter", {"OPMAS_AGENT_CONFIG": str(path)}, str(exporter))

    assert done.stdout.startswith("--web.listen-address=127.0.0.1:9400\n")


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


def test_the_check_asks_where_the_exporter_was_started(exporter, environment, server):
    configure(environment, {"config": {"port": server.server_port}})
    run("node-exporter", environment, str(exporter))

    done = run("check", environment)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_fails_when_the_exporter_answers_with_an_error(
    exporter, environment, server, monkeypatch
):
    configure(environment, {"config": {"port": server.server_port}})
    run("node-exporter", environment, str(exporter))
    monkeypatch.setattr(Answer, "status", 503)

    done = run("check", environment)

    assert done.returncode == 1
    assert "HTTP status 503" in done.stderr


def test_the_check_fails_when_nothing_was_started(environment):
    done = run("check", environment)

    assert done.returncode == 1
    assert "the exporter does not answer" in done.stderr
