"""The other resources: health, host, packages."""

import pytest

from opmas.api import health


def test_the_health_is_told_to_anyone(stranger):
    answer = stranger.get("/v1/health")

    assert (answer.status_code, answer.json) == (200, {"status": "ok", "manager": "ok"})


def test_the_health_without_a_manager_is_a_problem(stranger, manager):
    manager.stop()

    answer = stranger.get("/v1/health")

    assert (answer.status_code, answer.json["code"]) == (503, "manager-unavailable")


def test_strangers_make_the_manager_work_only_now_and_then(stranger, manager):
    answers = {stranger.get("/v1/health").status_code for _ in range(20)}

    assert answers == {200}
    assert len(manager.calls) <= 2


def test_a_health_that_was_bad_is_asked_for_again(stranger, manager):
    manager.stop()
    stranger.get("/v1/health")
    manager.start()

    assert stranger.get("/v1/health").status_code == 200
    assert health.FRESH <= 1


def test_the_host_is_shown(client):
    assert client.get("/v1/host").json["host"] == "fake"


def test_the_packages_are_listed(client):
    names = [package["name"] for package in client.get("/v1/packages").json["packages"]]

    assert names == ["demo", "hostwatch"]


def test_a_package_is_shown_with_its_manifest(client):
    answer = client.get("/v1/packages/hostwatch")

    assert answer.json["manifest"]["name"] == "hostwatch"
    assert answer.json["needs"][0]["name"] == "network=observe"


@pytest.mark.parametrize("path", ["/v1/host", "/v1/packages", "/v1/packages/demo", "/v1/health"])
def test_a_parameter_that_means_nothing_is_refused(client, path):
    assert client.get(f"{path}?x=1").status_code == 400
