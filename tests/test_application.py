"""The application routes requests exactly as Flask does, and its hooks see every request."""

from typing import Any

import pytest
from flask import Flask, Request, Response
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

from nexus.api.links import IdConverter
from nexus.application import Application

hosts = st.one_of(
    st.sampled_from(
        ["shop.example", "SHOP.example:80", "shop.example:443", "[::1]:8000", "a b", "", "é.example"]
    ),
    st.text("abcXYZ019.-:[]_@/ \xe9", max_size=12),
)
paths = st.one_of(
    st.sampled_from(["", "/", "/plain", "//plain", "/folder", "/number/7", "/number/x", "/\xd0\xb6"]),
    st.sampled_from(
        ["/item/7", "/item/1", "/item/0", "/item/07", "/item/7\n", "/item/7/part/8", "/item/<id:item>"]
    ),
    st.integers(-1, 10**20).map("/item/{}".format),
    st.text("/plainfoldernumberitem7%\xd0", max_size=12),
)


def make_application() -> Application:
    app = Application("tests")
    app.add_url_rule("/", "home")
    app.add_url_rule("/plain", "plain", methods=["GET", "POST"])
    app.add_url_rule("/folder/", "folder")
    app.add_url_rule("/number/<int:number>", "number")
    app.url_map.converters["id"] = IdConverter
    app.add_url_rule("/item/<id:item>", "item", methods=["GET", "POST"])
    app.add_url_rule("/item/<id:item>/part/<id:part>", "part")
    app.add_url_rule("/item/<id:item>", "remove", methods=["DELETE"])
    app.add_url_rule("/item/1", "first")
    app.add_url_rule("/default", "default", defaults={"item": 1})
    return app


APP = make_application()


def description(adapter: MapAdapter | None) -> Any:
    """Return everything that an adapter says about its request, for comparison."""
    if adapter is None:
        return None
    attributes = {
        name: value for name, value in vars(adapter).items() if name not in ("known", "map", "path_info")
    }
    try:
        rule, arguments = adapter.match(return_rule=True)
        # Rules of the same path count as equal.
        found: Any = rule.endpoint, arguments
    except RequestRedirect as redirect:
        found = redirect.new_url
    except HTTPException as error:
        found = type(error), getattr(error, "valid_methods", None)
    return attributes, found, adapter.allowed_methods()


def outcome(environ: dict[str, Any], *, of: type[Flask]) -> Any:
    request = Request(dict(environ))
    try:
        adapter = of.create_url_adapter(APP, request)
    except HTTPException as error:
        return type(error)
    return request.host, description(adapter)


PLAIN = {"scheme": "http", "host": "shop.example", "script": "", "query": ""}


@example(**PLAIN, path="/plain", method="GET")
@example(**PLAIN, path="/", method="POST")
@example(**PLAIN, path="/folder", method="GET")
@example(**PLAIN, path="/folder/", method="POST")
@example(**PLAIN, path="/item/7", method="POST")
@example(**PLAIN, path="/item/7", method="OPTIONS")
@example(**PLAIN, path="/item/1", method="GET")
@example(**PLAIN, path="/item/7", method="DELETE")
@example(**PLAIN, path="/item/1", method="POST")
@example(**PLAIN, path="/default", method="GET")
@example(**PLAIN, path="/item/9999999999999999999", method="GET")
@example(**PLAIN, path="/item/10000000000000000000", method="GET")
@example(**PLAIN, path="/item/\xd9\xa7", method="GET")
@example(**PLAIN, path="/item/7/part/8", method="GET")
@example(**PLAIN, path="/item/<id:item>/part/8", method="GET")
@example(**PLAIN, path="/number/<int:number>", method="GET")
@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.none() | hosts,
    script=st.sampled_from([None, "", "/shop", "/\xd0\xb6"]),
    path=st.none() | paths,
    query=st.sampled_from(["", "a=b", "a=%D0%B6&b=\xd0\xb6", "\xff"]),
    method=st.sampled_from(["GET", "POST", "DELETE", "OPTIONS", "get"]),
)
def test_requests_are_routed_as_by_flask(**parts: str | None) -> None:
    names = {
        "scheme": "wsgi.url_scheme",
        "host": "HTTP_HOST",
        "script": "SCRIPT_NAME",
        "path": "PATH_INFO",
        "query": "QUERY_STRING",
        "method": "REQUEST_METHOD",
    }
    given = {names[name]: value for name, value in parts.items() if value is not None}
    environ = {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", **given}
    assert outcome(environ, of=Application) == outcome(environ, of=Flask)


@pytest.fixture
def client() -> FlaskClient:
    app = make_application()
    app.view_functions["plain"] = lambda: Response("plain")

    @app.after_request
    def first(response: Response) -> Response:
        response.headers["X-Order"] = "Flask"
        return response

    def write(name: str) -> None:
        def finish(request: Request, response: Response) -> None:
            response.headers["X-Order"] += f", {name} {request.path}"

        app.finishing.append(finish)

    write("last")
    write("before")
    return app.test_client()


@pytest.mark.parametrize("path", ["/plain", "/nowhere"])
def test_finishing_hooks_run_for_every_response_in_reverse_order(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["X-Order"] == f"Flask, before {path}, last {path}"


def test_the_first_response_of_a_beginning_hook_is_used() -> None:
    app, seen = make_application(), []
    app.view_functions["plain"] = lambda: Response("the view's")

    def look(request: Request) -> None:
        seen.append(request.path)

    app.beginning += [look, lambda request: "ours" if request.path == "/" else None, look]
    client = app.test_client()
    assert [client.get(path).text for path in ("/", "/plain")] == ["ours", "the view's"]
    assert seen == ["/", "/plain", "/plain"]

    # Flask's own hooks run after them.
    app.view_functions["folder"] = lambda: "nobody's"
    app.before_request_funcs[None] = [lambda: "Flask's"]
    assert [client.get(path).text for path in ("/", "/plain", "/folder/")] == ["ours", "Flask's", "Flask's"]
