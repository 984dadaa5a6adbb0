from opmas.cli.plan import make_plan, render_plan
from tests.unit.cli.builders import agent, package, view


def wanted(**changes):
    return {
        "name": "web",
        "package": "hostwatch",
        "desired": "running",
        "config": {"interval": 5},
        "limits": {"memory_max": "64M"},
        "after": [],
        **changes,
    }


def test_a_plan_tells_what_is_granted_and_what_is_missing():
    needs = package("hostwatch", "network=observe", "proc=host")

    plan = make_plan(wanted(), needs, {"proc=host"}, None)

    assert plan["action"] == "create"
    assert plan["missing"] == ["network=observe"]
    assert [need["granted"] for need in plan["needs"]] == [False, True]


def test_a_plan_of_an_update_names_what_would_change():
    before = agent(config={"interval": 10})

    plan = make_plan(wanted(), package(), (), before)

    assert plan["action"] == "update"
    assert plan["changes"] == ["config"]


def test_no_configuration_and_an_empty_one_are_the_same():
    before = agent(config=None)

    plan = make_plan(wanted(config={}), package(), (), before)

    assert plan["changes"] == []


def test_a_plan_is_shown_with_the_explanations_of_the_needs():
    plan = make_plan(wanted(), package("hostwatch", "proc=host"), (), None)

    text = render_plan(plan, view())

    assert text.startswith("would create agent web\n")
    assert "not granted  proc=host  it opens proc=host" in text
    assert text.endswith("nothing was done; --grant what is not granted yet")
