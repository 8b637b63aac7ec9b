"""The Flask application; work that Flask repeats for each request with the same result is done once."""

import re
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

from flask import Flask, Request, Response
from flask.globals import _cv_request
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter, Rule

#: An id at the end of a path, as the converter `id` (see `api/links.py`) takes it.
ID = re.compile(r"(?<=/)[1-9][0-9]{0,18}\Z")


class Routes(MapAdapter):
    """A URL adapter that finds a route by a lookup if it has no parameter, or one: an id at its end."""

    #: These routes by method, path without the id, and number of ids.
    known: dict[tuple[str, str, int], Rule]

    def match(self, *given: Any, **how: Any) -> Any:
        """Match as Werkzeug does, but look up a known route directly when Flask is the caller."""
        verb, path = self.default_method, self.path_info
        start, ids = ID.subn("", path)
        rule = self.known.get((verb, path, 0)) or self.known.get((verb, start, ids))
        if rule is None or given or how != {"return_rule": True}:
            return super().match(*given, **how)
        # A route without an id has no arguments, so nothing becomes 0.
        return rule, dict.fromkeys(rule.arguments, int(path[len(start) :] or 0))


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
        # Bounded, since clients can send any `Host`.
        self._adapter_at = lru_cache(64)(self._make_adapter_at)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a hook or view unchanged: none is async, and Flask would check each on every request."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Run the hooks in `beginning`, and then Flask's own if there are any."""
        request = _cv_request.get().request
        for begin in self.beginning:
            if (answer := begin(request)) is not None:
                return answer
        hooks = self.before_request_funcs or self.url_value_preprocessors
        return super().preprocess_request() if hooks else None

    def process_response(self, response: Response) -> Response:
        """Run Flask's own hooks on a response, and then those in `finishing`."""
        if self.after_request_funcs:
            response = super().process_response(response)
        request = _cv_request.get().request
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
        routes.known = self._known
        return routes

    @cached_property
    def _known(self) -> dict[tuple[str, str, int], Rule]:
        rules = [(re.subn(r"<id:\w+>\Z", "", rule.rule), rule) for rule in self.url_map.iter_rules()]
        plain = [(at, rule) for at, rule in rules if at[1] == len(rule.arguments)]
        # Backwards, since of several rules for a path Werkzeug takes the first.
        return {(verb, *at): rule for at, rule in plain[::-1] for verb in rule.methods or ()}

    def _make_adapter_at(self, scheme: str, host: str, script: str) -> Callable[[str, str, str], Routes]:
        """A factory of adapters bound to an address as Flask binds them; takes path, method and query."""
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host, "SCRIPT_NAME": script}
        bound: Any = super().create_url_adapter(Request({**environ, "REQUEST_METHOD": "GET"}))
        address = bound.server_name, bound.script_name, bound.subdomain, scheme
        return partial(Routes, self.url_map, *address)
