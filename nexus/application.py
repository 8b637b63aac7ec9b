"""The Flask application; work that Flask repeats for each request with the same result is done once."""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter, Rule

#: How many values of `Host` have their URL adapters cached; bounded, since clients can send any value.
ADDRESSES = 64


class Routes(MapAdapter):
    """A URL adapter that finds routes without parameters by a lookup."""

    #: Routes without parameters, by method and path.
    fixed: dict[tuple[str, str], Rule]

    def match(self, *given: Any, **how: Any) -> Any:
        """Match as Werkzeug does, but look up a fixed route directly when Flask is the caller."""
        rule = None if given else self.fixed.get((self.default_method, self.path_info))
        return (rule, {}) if rule and how == {"return_rule": True} else super().match(*given, **how)


class Application(Flask):
    """A Flask application with less overhead per request."""

    def __init__(self, name: str) -> None:
        """Create an application without static files and without hooks."""
        super().__init__(name, static_folder=None)
        #: Like `before_request`: each hook gets the request, and the first response ends the chain.
        self.beginning: list[Callable[[Request], ResponseReturnValue | None]] = []
        #: Like `after_request`, but each hook also gets the request, which saves the context lookup. The
        #: last one added is called first.
        self.finishing: list[Callable[[Request, Response], None]] = []
        #: Like `teardown_request`.
        self.ending: list[Callable[[], None]] = []
        self._adapter_at = lru_cache(ADDRESSES)(self._make_adapter_at)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a hook or view unchanged: none is async, and Flask would check each on every request."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Run the hooks in `beginning`, and then Flask's own if there are any."""
        request = request_ctx.request
        for begin in self.beginning:
            answer = begin(request)
            if answer is not None:
                return answer
        hooks = self.before_request_funcs or self.url_value_preprocessors
        return super().preprocess_request() if hooks else None

    def process_response(self, response: Response) -> Response:
        """Run Flask's own hooks on a response, and then those in `finishing`."""
        if self.after_request_funcs:
            response = super().process_response(response)
        request = request_ctx.request
        for finish in reversed(self.finishing):
            finish(request, response)
        return response

    def do_teardown_request(self, *error: BaseException | None) -> None:
        """Run the hooks in `ending`, which release a request's resources, and then Flask's own if any."""
        for end in self.ending:
            end()
        if self.teardown_request_funcs:
            super().do_teardown_request(*error)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The URL adapter for the address that a request was sent to."""
        environ = request.environ if request else {}
        host, path = environ.get("HTTP_HOST"), environ.get("PATH_INFO")
        if not request or not host or not path:
            return super().create_url_adapter(request)
        scheme, script = environ["wsgi.url_scheme"], environ.get("SCRIPT_NAME", "")
        query = request.query_string.decode(errors="replace")
        routes = self._adapter_at(scheme, host, script)(request.path, environ["REQUEST_METHOD"], query)
        routes.fixed = self._fixed
        return routes

    @cached_property
    def _fixed(self) -> dict[tuple[str, str], Rule]:
        rules = [rule for rule in self.url_map.iter_rules() if not rule.arguments]
        return {(method, rule.rule): rule for rule in rules for method in rule.methods or ()}

    def _make_adapter_at(self, scheme: str, host: str, script: str) -> Callable[[str, str, str], Routes]:
        """A factory of adapters bound to an address as Flask binds them; takes path, method and query."""
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host, "SCRIPT_NAME": script}
        bound: Any = super().create_url_adapter(Request({**environ, "REQUEST_METHOD": "GET"}))
        address = bound.server_name, bound.script_name, bound.subdomain, scheme
        return partial(Routes, self.url_map, *address)
