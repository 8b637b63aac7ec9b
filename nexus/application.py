"""The Flask application, with what Flask does anew for each request done once where it is the same."""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter, Rule

#: How many values of `Host` have their routes cached, since clients can send any.
ADDRESSES = 64


class Routes(MapAdapter):
    """The routes as seen from where a request came."""

    #: Routes without parameters, by method and path.
    fixed: dict[tuple[str, str], Rule]

    def match(self, *given: Any, **how: Any) -> Any:
        """Find a route as Werkzeug does, or without a search where Flask asks and it is fixed."""
        rule = None if given else self.fixed.get((self.default_method, self.path_info))
        return (rule, {}) if rule and how == {"return_rule": True} else super().match(*given, **how)


class Application(Flask):
    """A Flask application that answers sooner."""

    def __init__(self, name: str) -> None:
        """Serve no files, and hold no hooks yet."""
        super().__init__(name, static_folder=None)
        #: What `before_request` is for: each gets the request, and the first answer is the answer.
        self.beginning: list[Callable[[Request], ResponseReturnValue | None]] = []
        #: What `after_request` is for: each gets the request too, and so need not look for it. The last to
        #: be added is the first to be called.
        self.finishing: list[Callable[[Request, Response], None]] = []
        #: What `teardown_request` is for.
        self.ending: list[Callable[[], None]] = []
        self._at = lru_cache(ADDRESSES)(self._found_at)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a hook or view as it is: none is async here, and Flask would check each at each request."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Have a request looked at by `beginning`, and then by Flask's own hooks where there are any."""
        request = request_ctx.request
        for begin in self.beginning:
            answer = begin(request)
            if answer is not None:
                return answer
        hooks = self.before_request_funcs or self.url_value_preprocessors
        return super().preprocess_request() if hooks else None

    def process_response(self, response: Response) -> Response:
        """Have an answer finished by Flask's own hooks, and then by `finishing`."""
        if self.after_request_funcs:
            response = super().process_response(response)
        request = request_ctx.request
        for finish in reversed(self.finishing):
            finish(request, response)
        return response

    def do_teardown_request(self, *error: BaseException | None) -> None:
        """Have `ending` let go of what a request took, and then Flask's own hooks where there are any."""
        for end in self.ending:
            end()
        if self.teardown_request_funcs:
            super().do_teardown_request(*error)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The routes as seen from where a request came."""
        environ = request.environ if request else {}
        host, path = environ.get("HTTP_HOST"), environ.get("PATH_INFO")
        if not request or not host or not path:
            return super().create_url_adapter(request)
        scheme, script = environ["wsgi.url_scheme"], environ.get("SCRIPT_NAME", "")
        query = request.query_string.decode(errors="replace")
        routes = self._at(scheme, host, script)(request.path, environ["REQUEST_METHOD"], query)
        routes.fixed = self._fixed
        return routes

    @cached_property
    def _fixed(self) -> dict[tuple[str, str], Rule]:
        rules = [rule for rule in self.url_map.iter_rules() if not rule.arguments]
        return {(method, rule.rule): rule for rule in rules for method in rule.methods or ()}

    def _found_at(self, scheme: str, host: str, script: str) -> Callable[[str, str, str], Routes]:
        """What sees the routes from an address, as Flask binds them to it, for a path, method and query."""
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host, "SCRIPT_NAME": script}
        bound: Any = super().create_url_adapter(Request({**environ, "REQUEST_METHOD": "GET"}))
        address = bound.server_name, bound.script_name, bound.subdomain, scheme
        return partial(Routes, self.url_map, *address)
