"""Agents as they should be and as they are."""

from opmas.diagnosis.comparison import compare


def stored(name, desired="running"):
    return {"name": name, "spec": {"desired": desired}, "condition": {"phase": "running"}}


def unit(name, active="active"):
    return {"unit": f"opmas-agent@{name}.service", "active": active, "sub": "x"}


def differences(*given):
    return {row["agent"]: row["differences"] for row in compare(*given)}


def test_what_is_as_it_should_be_differs_in_nothing():
    views = [{"name": "web", "desired": "running", "phase": "running"}]

    found = compare([stored("web")], {"web": stored("web")}, [unit("web")], views)

    assert found[0]["differences"] == []
    assert found[0]["known_to"] == dict.fromkeys(("database", "file", "systemd", "manager"), True)


def test_what_should_run_and_does_not_is_named():
    found = differences([stored("web"), stored("db")], None, [unit("db", "failed")], None)

    assert found == {
        "db": ["it should run, and its unit is failed"],
        "web": ["it should run, and its unit is not loaded"],
    }


def test_what_should_be_stopped_and_runs_is_named():
    found = differences([stored("web", "stopped")], None, [unit("web")], None)

    assert found == {"web": ["it should be stopped, and its unit is active"]}


def test_a_manager_that_sees_it_otherwise_than_systemd_is_named():
    views = [{"name": "web", "desired": "running", "phase": "running"}]

    found = differences([stored("web")], None, [unit("web", "inactive")], views)

    assert found["web"] == [
        "it should run, and its unit is inactive",
        "the manager says running, systemd says inactive",
    ]


def test_strangers_and_what_was_forgotten_are_named():
    found = differences([stored("web")], {"old": stored("old")}, [unit("web"), unit("x")], None)

    assert found["x"] == ["systemd has its unit, and nobody declared it"]
    assert found["old"][0] == "it has an agent.json, and is not in the database"
    assert found["web"] == ["it is in the database, and has no agent.json"]


def test_without_the_database_the_files_say_what_is_expected():
    found = compare(None, {"web": stored("web")}, [unit("web")], None)

    assert (found[0]["expected"], found[0]["differences"]) == ("running", [])


def test_without_anything_there_is_nothing_to_compare():
    assert compare(None, None, None, None) == []
