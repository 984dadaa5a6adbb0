"""agent.yaml on what a package needs beside it: agents, libraries, hooks; and what it tells."""

from __future__ import annotations

from typing import Any

import pytest

from opmas.core.package.manifest import Hooks, Links, Metric, MetricType, parse_manifest
from opmas.errors import InvalidError
from tests.unit.core.manifests import exec_document, python_document

METRIC = {"name": "requests_total", "type": "counter", "unit": "requests", "help": "answered"}


def problems_of(document: object) -> tuple[str, ...]:
    with pytest.raises(InvalidError) as refused:
        parse_manifest(document, where="agent.yaml")
    return refused.value.problems


def test_everything_that_can_be_said_is_read() -> None:
    document = python_document(
        opmas=">=0.2,<2",
        requires_python="~=3.11",
        architectures=["amd64", "arm64"],
        requirements=["httpx[http2]>=0.23", "tomli (>=2) ; python_version < '3.11'"],
        requires=["db"],
        wants=["cache"],
        conflicts=["old-pinger"],
        hooks={"check": "pinger:check", "migrate": ["./bin/migrate", "-v"], "pre_stop": None},
        timeouts={"migrate": 600},
        metrics=[METRIC],
        links={"homepage": "https://example.org/pinger"},
    )

    manifest = parse_manifest(document, where="agent.yaml")

    assert (manifest.opmas, manifest.requires_python) == (">=0.2,<2", "~=3.11")
    assert manifest.architectures == ("amd64", "arm64")
    assert manifest.requirements == (
        "httpx[http2]>=0.23",
        "tomli (>=2) ; python_version < '3.11'",
    )
    assert (manifest.requires, manifest.wants) == (("db",), ("cache",))
    assert manifest.conflicts == ("old-pinger",)
    assert manifest.hooks == Hooks(check=("pinger:check",), migrate=("./bin/migrate", "-v"))
    assert manifest.timeouts.migrate == 600
    assert manifest.metrics == (
        Metric("requests_total", MetricType.COUNTER, "requests", "answered"),
    )
    assert manifest.links == Links(homepage="https://example.org/pinger")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"requires_python": 3.11}, "requires_python: must be versions as in PEP 440, like >=3.1"),
        ({"requires_python": 3.11}, '(put it in quotes: "3.11")'),
        ({"requires_python": "3.11"}, "requires_python: must be versions"),
        ({"requires_python": "~=3"}, "requires_python: must be versions"),
        ({"requires_python": ">=3.11.*"}, "requires_python: must be versions"),
        ({"opmas": ">= one"}, "opmas: must be versions"),
        ({"opmas": ">1" + ",>1" * 200}, "opmas: must be at most 500 characters"),
        ({"architectures": ["x86_64"]}, "architectures[0]: must be Debian's name"),
        ({"architectures": ["x86_64"]}, 'did you mean "amd64"?'),
        ({"architectures": ["amd46"]}, 'did you mean "amd64"?'),
        ({"architectures": ["all"]}, "a package for all of them leaves the key out"),
        ({"requirements": ["requests >= two"]}, "requirements[0]: must be a requirement"),
        ({"requirements": ["a @ https://x/a.whl"]}, "requirements[0]: must not name an address"),
        ({"requirements": ["-r x"]}, "requirements[0]: must be a requirement"),
        ({"requires": ["a b"]}, "requires[0]: must be 1 to 63"),
        ({"requires": ["db", "db"]}, 'requires[1]: "db" is there twice'),
        ({"requires": ["db"], "wants": ["x", "db"]}, 'wants[1]: "db" is in requires too'),
        ({"conflicts": ["pinger"]}, "conflicts[0]: must not be the package itself"),
        ({"hooks": {"check": "pinger.check"}}, "hooks.check: must be module:function, or a list"),
        ({"hooks": {"check": ["check"]}}, "hooks.check[0]: must be an absolute path"),
        ({"hooks": {"prestop": "a:b"}}, 'hooks.prestop: unknown key; did you mean "pre_stop"?'),
        ({"timeouts": {"migrate": 0}}, "timeouts.migrate: must be a whole number from 1 to 3600"),
        ({"metrics": {}}, "metrics: must be a list of mappings, not a mapping"),
        ({"metrics": [{**METRIC, "type": "guage"}]}, "metrics[0].type: must be one of counter"),
        ({"metrics": [{**METRIC, "name": "a-b"}]}, "metrics[0].name: must be a name as in Prom"),
        ({"metrics": [METRIC, METRIC]}, 'metrics[1].name: "requests_total" is there twice'),
        ({"metrics": [{**METRIC, "units": "s"}]}, "metrics[0].units: unknown key; did you mean"),
        ({"metrics": [METRIC] * 201}, "metrics: must have at most 200 items, not 201"),
        ({"links": {"homepage": "example.org"}}, "links.homepage: must be a URL like"),
        ({"links": {"hompage": "https://x"}}, 'unknown key; did you mean "homepage"?'),
        ({"require": ["db"]}, 'require: unknown key; did you mean "requires"?'),
        (
            {"config": {"schema": {"properties": {"port": {"type": "integer", "secret": True}}}}},
            "config.schema.properties.port.secret: needs type: string",
        ),
        (
            {"config": {"schema": {"$defs": {"x": {"type": "string", "secret": "yes"}}}}},
            "config.schema.$defs.x.secret: must be true or false",
        ),
    ],
)
def test_a_fault_is_named(changed: dict[str, Any], problem: str) -> None:
    found = problems_of(python_document(**changed))

    assert any(problem in each for each in found)


def test_a_metric_says_what_it_is() -> None:
    assert problems_of(python_document(metrics=[{}, None])) == (
        "metrics[0].name: is missing",
        "metrics[0].type: is missing",
        "metrics[0].help: is missing",
        "metrics[1].name: is missing",
        "metrics[1].type: is missing",
        "metrics[1].help: is missing",
    )


@pytest.mark.parametrize(
    "changed", [{"requires_python": ">=3.11"}, {"requirements": ["x"]}, {"entry": "a:B"}]
)
def test_what_is_for_python_alone_is_refused_of_a_program(changed: dict[str, Any]) -> None:
    (problem,) = problems_of(exec_document(**changed))

    assert "has no meaning with runtime: exec" in problem


def test_a_program_s_hook_is_a_program() -> None:
    assert problems_of(exec_document(hooks={"check": "a:b"})) == (
        'hooks.check: must be a list like [a, b], not "a:b"',
    )


@pytest.mark.parametrize(
    "written",
    [
        ">=3.11",
        "==3.*",
        "!= 3.11.2, <4",
        "~=3.11.0rc1",
        ">1.0.post1",
        "==1.0+deb12.1",
        "<2!1.0",
        ">=V1.0RC1",
    ],
)
def test_every_form_of_a_specifier_is_read(written: str) -> None:
    assert parse_manifest(python_document(opmas=written), where="x").opmas == written


@pytest.mark.parametrize(
    "written",
    [
        "a",
        "A.b_c-1",
        "a[b,c-d]",
        "a >=1, !=1.5",
        "a (==1.*)",
        'a; sys_platform == "linux" and (python_version >= "3.11" or extra == "x")',
        "a ; 'arm' not in platform_machine",
    ],
)
def test_every_form_of_a_requirement_is_read(written: str) -> None:
    manifest = parse_manifest(python_document(requirements=[written]), where="x")

    assert manifest.requirements == (written,)
