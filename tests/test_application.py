"""The application routes requests exactly as Flask does, and its hooks see every request."""

import gc
import weakref
from typing import Any

import pytest
from flask import Blueprint, Request, Response, abort, has_request_context, url_for
from flask.ctx import RequestContext
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from nexus.api.links import IdConverter
from nexus.application import Application, Context

hosts = st.one_of(
    st.sampled_from(
        ["shop.example", "SHOP.example:80", "shop.example:443", "[::1]:8000", "a b", "", "é.example"]
    ),
    st.sampled_from(["a..b", ".a", "a."]),
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


def route(environ: dict[str, Any], *, of: type[RequestContext]) -> Any:
    """Return everything that a context finds out about its request's route."""
    context = of(APP, dict(environ))
    # Flask does not match a request with a bad host.
    if of is Context or context.url_adapter:
        context.match_request()
    request, error = context.request, context.request.routing_exception
    refused = error and (type(error), getattr(error, "new_url", None), getattr(error, "valid_methods", None))
    # Rules of the same path count as equal, so endpoints are compared.
    return request.url_rule and request.url_rule.endpoint, request.view_args, refused


PLAIN = {"scheme": "http", "host": "shop.example", "script": "", "query": ""}


@example(**PLAIN, path="/plain", method="GET")
@example(**PLAIN, path="", method="GET")
@example(**{**PLAIN, "host": f"{'a' * 64}:80"}, path="/plain", method="GET")
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
    assert route(environ, of=Context) == route(environ, of=RequestContext)


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


@pytest.fixture
def client() -> FlaskClient:
    app = make_application()
    app.view_functions["plain"] = lambda: Response("plain")

    def write(name: str) -> None:
        def finish(request: Request, response: Response) -> None:
            response.headers.add("X-Order", f"{name} {request.path}")

        app.finishing.append(finish)

    write("last")
    write("before")
    return app.test_client()


@pytest.mark.parametrize("path", ["/plain", "/nowhere"])
def test_finishing_hooks_run_for_every_response_in_reverse_order(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers.getlist("X-Order") == [f"before {path}", f"last {path}"]


def test_the_first_response_of_a_beginning_hook_is_used() -> None:
    app, seen = make_application(), []
    app.view_functions["plain"] = lambda: Response("the view's")

    def look(request: Request) -> None:
        seen.append(request.path)

    app.beginning += [look, lambda request: "ours" if request.path == "/" else None, look]
    client = app.test_client()
    assert [client.get(path).text for path in ("/", "/plain")] == ["ours", "the view's"]
    assert seen == ["/", "/plain", "/plain"]


def test_hooks_of_flask_are_refused_since_they_would_not_be_called() -> None:
    app, guarded = make_application(), Blueprint("guarded", __name__)
    guarded.before_request(lambda: abort(403))
    guarded.add_url_rule("/secret", view_func=lambda: "secret")
    app.register_blueprint(guarded)
    # Whatever its error handlers do.
    app.register_error_handler(Exception, lambda _: "secret")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Flask's hooks are not called here"):
            app.test_client().get("/secret")


def test_a_route_that_is_added_after_the_first_request_is_refused(client: FlaskClient) -> None:
    client.get("/plain")
    with pytest.raises(AssertionError, match="first request"):
        client.application.add_url_rule("/late", "late")


@pytest.mark.parametrize("path", ["/plain", "/number/7"])
def test_a_request_for_a_websocket_is_answered_in_http(client: FlaskClient, path: str) -> None:
    client.application.view_functions["number"] = lambda number: f"number {number}"
    answers = [client.get(path, headers=sent) for sent in ({}, UPGRADE)]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_view_whose_route_was_looked_up_can_build_urls_and_answers_options() -> None:
    app = make_application()
    app.view_functions["plain"] = lambda: url_for("item", item=7)
    client = app.test_client()
    assert client.get("/plain").text == "/item/7"
    assert {*client.options("/plain").allow} == {"GET", "HEAD", "OPTIONS", "POST"}


def test_an_error_after_the_view_is_answered_and_the_request_ends() -> None:
    app, ended = make_application(), []
    app.view_functions["plain"] = lambda: Response("plain")

    def fail(request: Request, response: Response) -> None:
        if response.status_code == 200:
            raise ValueError("from a hook")

    app.finishing.append(fail)
    app.ending.append(lambda: ended.append(has_request_context()))
    assert app.test_client().get("/plain").status_code == 500
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ValueError, match="from a hook"):
        app.test_client().get("/plain")
    assert ended == [False, False]


def test_a_request_is_freed_without_waiting_for_the_garbage_collector() -> None:
    app, seen = make_application(), []
    app.view_functions["plain"] = lambda: "plain"
    app.finishing.append(lambda request, _: seen.append(weakref.ref(request)))
    environ = EnvironBuilder("/plain").get_environ()
    gc.disable()
    try:
        assert b"".join(app.wsgi_app(environ, lambda *_: None)) == b"plain"
        # The caller still has the environment.
        assert [request() for request in seen] == [None]
    finally:
        gc.enable()
