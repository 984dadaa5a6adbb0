"""The contract: it is OpenAPI, it is what the routes are, and it is published."""

import json
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from opmas import errors
from opmas.api.access import Permission
from opmas.api.openapi import contract
from opmas.api.problems import HTTP_CODES, status_of
from opmas.api.resources import RESOURCES

# https://spec.openapis.org/oas/3.1/schema/2022-10-07
# The schema of OpenAPI itself: a file of the package, whose code needs another jsonschema.
VALIDATOR = distribution("openapi-spec-validator")
SCHEMA = VALIDATOR.locate_file("openapi_spec_validator/resources/schemas/v3.1/schema.json")
OPENAPI = json.loads(Path(str(SCHEMA)).read_bytes())
CONTRACT = contract()
OPERATIONS = {
    (method.upper(), path): {**operation, "parameters": item.get("parameters", []) + own}
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
    for own in [operation.get("parameters", [])]
}
# Errors that no request can meet: of the operator's files, of the socket, and of OPMAS itself.
INNER = {"internal-error", "invalid-config", "access-denied", "invalid-request"}


def written(path):
    """Return the route's path as the contract writes it."""
    return re.sub(r"<(?:[^:<>]*:)?(\w+)>", r"{\1}", path)


def references(value):
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if "$ref" in value else []
    return own + [found for item in value.values() for found in references(item)]


def resolved(value):
    if "$ref" not in value:
        return value
    _, section, name = value["$ref"].removeprefix("#/").split("/")
    return CONTRACT["components"][section][name]


def schemas():
    yield from CONTRACT["components"]["schemas"].values()
    for operation in OPERATIONS.values():
        for parameter in map(resolved, operation["parameters"]):
            yield parameter["schema"]
        for answer in operation["responses"].values():
            for content in resolved(answer).get("content", {}).values():
                yield content["schema"]


def test_the_contract_is_openapi():
    faults = [error.message for error in Draft202012Validator(OPENAPI).iter_errors(CONTRACT)]

    assert faults == []


def test_every_schema_is_one():
    for schema in schemas():
        Draft202012Validator.check_schema(schema)


def test_the_routes_and_their_permissions_are_those_of_the_contract():
    routes = {(r.method, written(r.path)): str(r.permission) for r in RESOURCES}

    promised = {key: operation["x-permission"] for key, operation in OPERATIONS.items()}

    assert promised == routes


def test_only_what_wants_no_permission_wants_no_token():
    open_ = {key for key, operation in OPERATIONS.items() if operation.get("security") == []}

    free = {key for key, o in OPERATIONS.items() if o["x-permission"] == Permission.NONE}

    assert open_ == free


def test_the_application_has_no_route_beside_the_table(app):
    rules = {(m, written(rule.rule)) for rule in app.url_map.iter_rules() for m in rule.methods}

    assert {rule for rule in rules if rule[0] not in {"HEAD", "OPTIONS"}} == set(OPERATIONS)


def test_every_reference_leads_to_a_component_and_every_component_is_used():
    sections = CONTRACT["components"].items()
    known = {f"#/components/{section}/{name}" for section, found in sections for name in found}

    assert known - {"#/components/securitySchemes/token"} == set(references(CONTRACT))


def test_operations_are_told_apart_and_say_what_they_are():
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    tags = {tag["name"] for tag in CONTRACT["tags"]}

    assert len(set(names)) == len(names)
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == tags
    assert [o for o in OPERATIONS.values() if not o["summary"].endswith(".")] == []


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_each_variable_of_a_path_is_a_parameter(method, path):
    parameters = map(resolved, OPERATIONS[method, path]["parameters"])

    named = [p["name"] for p in parameters if p["in"] == "path" and p["required"]]

    assert named == re.findall(r"{(\w+)}", path)


def test_every_code_of_an_error_is_in_the_problem_of_its_status():
    raised = {
        (status_of(kind("")).value, code)
        for code, kind in errors.BY_CODE.items()
        if code not in INNER
    }

    answered = {
        (int(status), code)
        for operation in OPERATIONS.values()
        for status, answer in operation["responses"].items()
        for code in resolved(answer).get("x-codes", [])
    }

    assert raised | {item for item in HTTP_CODES.items() if item[0] != 405} <= answered
    assert {code for _, code in answered} <= {*errors.BY_CODE, *HTTP_CODES.values()}


def test_the_contract_is_published_to_anyone(stranger, manager):
    answer = stranger.get("/v1/openapi.json")

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == CONTRACT
    assert manager.calls == []


def test_who_has_the_contract_is_not_sent_it_again(stranger):
    first = stranger.get("/v1/openapi.json")

    again = stranger.get("/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    other = stranger.get("/v1/openapi.json", headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert other.status_code == 200


def test_the_published_contract_may_be_kept_but_is_asked_for_again(stranger):
    headers = stranger.get("/v1/openapi.json").headers

    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
