"""The Flask application: the way from a request to its response, without what Flask repeats each time."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Flask, Request, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.typing import ResponseReturnValue
from werkzeug.routing import Rule

#: An id at the end of a path, as the converter `id` (see `api/links.py`) takes it.
ID = re.compile(r"(?<=/)[1-9][0-9]{0,18}\Z")
#: A `Host` that is certainly valid; Werkzeug examines all others.
HOST = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}(?::[0-9]{1,5})?")


class Context(RequestContext):
    """A request's context, which finds most routes by a lookup, and has an adapter only if one is needed."""

    app: "Application"

    def __init__(self, app: "Application", environ: dict[str, Any]) -> None:
        """Take what Flask's own constructor takes, which would make the adapter."""
        # Not in the environment, which it refers to: both would stay in memory until garbage is collected.
        self.request = app.request_class(environ, populate_request=False)
        # The first request makes them; outside any context, so that an error reaches the server as it is.
        self._rules = app.by_path
        self.app, self._session = app, None

    @cached_property
    def url_adapter(self) -> Any:  # type: ignore[override]
        """Werkzeug's adapter, which finds any route, and builds URLs."""
        adapter: Any = self.app.create_url_adapter(self.request)
        # There are no websockets, so a request for one is answered in HTTP.
        adapter.websocket = False
        return adapter

    def match_request(self) -> None:
        """Look a route up if it has no parameter, or one: an id at its end; Werkzeug matches all others."""
        request, rules = self.request, self._rules
        method, path, environ = request.method, request.path, request.environ
        start, ids = ID.subn("", path)
        rule = rules.get((method, path, 0)) or rules.get((method, start, ids))
        if rule is None or not environ.get("PATH_INFO") or not HOST.fullmatch(environ.get("HTTP_HOST", "")):
            super().match_request()
        else:
            request.url_rule = rule
            # A route without an id has no arguments, so nothing becomes 0.
            request.view_args = dict.fromkeys(rule.arguments, int(path[len(start) :] or 0))


class Application(Flask):
    """A Flask application with less overhead per request, and with its own hooks in place of Flask's."""

    def __init__(self, name: str) -> None:
        """Create an application without static files and without hooks."""
        super().__init__(name, static_folder=None)
        #: In place of `before_request`: each hook gets the request, and the first response ends the chain.
        self.beginning: list[Callable[[Request], ResponseReturnValue | None]] = []
        #: In place of `after_request`: each hook gets the request and the response. The last one added is
        #: called first.
        self.finishing: list[Callable[[Request, Response], None]] = []
        #: In place of `teardown_request`, outside the request's context.
        self.ending: list[Callable[[], None]] = []

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Answer a request as Flask does, but without its session, its hooks and most of its signals."""
        context = Context(self, environ)
        outer, inner = _cv_app.set(AppContext(self)), _cv_request.set(context)
        try:
            try:
                context.match_request()
                answer = self._answer(context.request)
                made = answer if isinstance(answer, Response) else self.make_response(answer)
                response = self.process_response(made)
            except Exception as error:  # noqa: BLE001 - Flask decides what becomes of it.
                response = self.handle_exception(error)
            return response(environ, start_response)
        finally:
            _cv_request.reset(inner)
            _cv_app.reset(outer)
            for end in self.ending:
                end()

    def _answer(self, request: Any) -> Any:
        """What a hook in `beginning` answers, or the view, or an error handler."""
        try:
            for begin in self.beginning:
                if (answer := begin(request)) is not None:
                    return answer
            if request.url_rule is None or request.method == "OPTIONS":
                return self.dispatch_request()
            # Directly: Flask would look the request up again, and check whether the view is async.
            return self.view_functions[request.url_rule.endpoint](**request.view_args)
        except Exception as error:  # noqa: BLE001 - Flask finds the error handler.
            return self.handle_user_exception(error)

    def process_response(self, response: Response) -> Response:
        """Call the hooks in `finishing`."""
        request = _cv_request.get().request
        for finish in reversed(self.finishing):
            finish(request, response)
        return response

    @cached_property
    def by_path(self) -> dict[tuple[str, str, int], Rule]:
        """The routes that can be looked up, by method, path without the id, and number of ids."""
        hooks = (self.before_request_funcs, self.after_request_funcs, self.teardown_request_funcs)
        if any([*hooks, self.url_value_preprocessors, self.teardown_appcontext_funcs]):
            raise RuntimeError("Flask's hooks are not called here: use beginning, finishing or ending")
        # As Flask notes it, to refuse routes and handlers that are added later.
        self._got_first_request = True
        rules = [(re.subn(r"<id:\w+>\Z", "", rule.rule), rule) for rule in self.url_map.iter_rules()]
        plain = [(at, rule) for at, rule in rules if at[1] == len(rule.arguments)]
        # Backwards, since of several rules for a path Werkzeug takes the first.
        return {(verb, *at): rule for at, rule in plain[::-1] for verb in rule.methods or ()}
