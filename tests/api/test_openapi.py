"""The OpenAPI document: valid, complete, with examples that work, and cheap to fetch."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from nexus import create_app
from nexus.api.endpoint import Endpoint
from nexus.api.openapi.examples import EXAMPLES
from nexus.api.openapi.operations import path
from nexus.config import Settings
from nexus.errors import MethodNotAllowed, family
from nexus.refusals import HeadTooLarge, RequestTimeout, UnknownTransferCoding, URITooLong
from nexus.schemas.fields import Input
from tests.described import PAGES, Described
from tests.environment import flask
from tests.factories import Person


@pytest.fixture
def document(stranger: Person) -> dict[str, Any]:
    """The document, as a client fetches it."""
    answer: dict[str, Any] = stranger.get("/api/openapi.json").get_json()
    return answer


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def declarations(app: Flask) -> dict[tuple[str, str], Endpoint]:
    return {
        (method, path(rule)): vars(app.view_functions[rule.endpoint])["endpoint"]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] not in PAGES
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_exactly_the_existing_routes_are_described(app: Flask, document: dict[str, Any]) -> None:
    assert set(operations(document)) == set(declarations(app))


def test_every_error_that_an_operation_can_return_is_described(
    document: dict[str, Any],
) -> None:
    described = {
        code
        for operation in operations(document).values()
        for answer in operation["responses"].values()
        if "application/problem+json" in answer.get("content", ())
        for code in answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"][
            "enum"
        ]
    }

    # No operation can return these.
    others = {MethodNotAllowed, RequestTimeout, URITooLong, HeadTooLarge, UnknownTransferCoding}
    assert {error.code for error in family()} - described == {error.code for error in others}


def test_exactly_the_accepted_parameters_are_described(app: Flask, document: dict[str, Any]) -> None:
    for route, declared in declarations(app).items():
        parameters = operations(document)[route]["parameters"]
        query = {one["name"] for one in parameters if one.get("in") == "query"}
        fields = declared.query.model_fields.values() if declared.query else ()
        assert query == {field.alias for field in fields}, route
        taken = {one["$ref"].rpartition("/")[2] for one in parameters if "$ref" in one}
        keyed = {"Idempotency-Key"} if declared.idempotent else set()
        always = {"X-Request-Id", "traceparent", "Accept-Language"}
        assert taken == {*always, *keyed, *declared.takes}, route


def test_authentication_is_described(document: dict[str, Any]) -> None:
    every = operations(document)

    assert "security" not in every["POST", "/api/auth/login"]
    assert every["GET", "/api/orders"]["security"] == [{"bearer": []}, {"cookie": []}]
    assert every["GET", "/api/products"]["security"] == [{"bearer": []}, {"cookie": []}, {}]
    assert {"receipt": []} in every["PATCH", "/api/orders/{orderId}"]["security"]


def test_constraints_of_fields_are_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    price = schemas["NewProduct"]["properties"]["price"]
    query = operations(document)["GET", "/api/products"]["parameters"]
    limit = next(one for one in query if one.get("name") == "limit")

    assert (price["type"], price["minimum"], price["maximum"]) == ("integer", 0, 99_999_999)
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 200}
    assert schemas["NewProduct"]["required"] == ["name", "price"]
    assert not schemas["NewProduct"]["additionalProperties"]
    assert {"type": "null"} in schemas["NewProduct"]["properties"]["description"]["anyOf"]


def test_the_document_suits_code_generators(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    times = [field for name, field in schemas["ListedOrder"]["properties"].items() if name.endswith("At")]
    parameters = [one for every in operations(document).values() for one in every["parameters"]]

    assert [one["format"] for one in times] == ["date-time", "date-time"]
    assert all(one["description"] for one in parameters if one.get("in") == "query")
    assert "default" not in schemas["NewOrder"]["properties"]["name"]
    assert "title" not in schemas["NewOrder"]["properties"]["name"]


@pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: model.__name__)
def test_every_example_is_valid_for_its_model(model: Any) -> None:
    example = EXAMPLES[model]

    if issubclass(model, Input):
        assert model.model_validate(example).model_dump(by_alias=True, exclude_unset=True) == example
    else:
        assert TypeAdapter(model).validate_python(example, strict=True) == example


def test_the_examples_of_requests_can_be_sent(app: Flask, stranger: Person, document: dict[str, Any]) -> None:
    every = operations(document)

    def example(method: str, where: str) -> Any:
        return every[method, where]["requestBody"]["content"]["application/json"]["example"]

    registered = stranger.post("/api/auth/register", example("POST", "/api/auth/register"))
    seller = Person(app, token=registered.get_json()["token"])
    product = seller.post("/api/products", example("POST", "/api/products")).get_json()["product"]
    wanted = {**example("POST", "/api/orders"), "productId": product["id"]}
    order = stranger.post("/api/orders", wanted).get_json()["order"]
    moved = seller.patch(f"/api/orders/{order['id']}", example("PATCH", "/api/orders/{orderId}"))

    assert moved.status_code == 200
    assert stranger.post("/api/auth/login", example("POST", "/api/auth/login")).status_code == 200


def test_an_unchanged_document_is_not_sent_again(stranger: Person) -> None:
    first = stranger.get("/api/openapi.json")
    again = stranger.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_the_command_prints_the_document_without_a_database(root: Path, settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"})

    printed = flask(root, away, "openapi")

    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == create_app(away).test_client().get("/api/openapi.json").get_json()


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=418),
        Response("{}", 200, {"X-Secret": "1"}, content_type="application/json"),
        Response("hello", 200, content_type="text/plain"),
        Response('{"code": "open_orders"}', 400, content_type="application/problem+json"),
        Response('{"code": "bad_request", "more": 1}', 400, content_type="application/problem+json"),
    ],
    ids=["status", "header", "media type", "code", "member"],
)
def test_the_test_suite_detects_undescribed_responses(settings: Settings, answer: Response) -> None:
    app = create_app(settings)

    with app.test_request_context("/api/orders"), pytest.raises(AssertionError):
        Described(app).hold(answer)


def test_exactly_the_used_tags_are_declared(document: dict[str, Any]) -> None:
    used = {tag for calls in document["paths"].values() for call in calls.values() for tag in call["tags"]}

    assert used == {tag["name"] for tag in document["tags"]}
