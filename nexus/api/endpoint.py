"""The decorator with which an endpoint declares, in one place, its input and its responses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, wraps
from typing import Any, TypeVar

import orjson
from flask import Request, Response
from flask.globals import _cv_app, _cv_request
from pydantic import ValidationError
from werkzeug.datastructures import Headers

from nexus.api.keys import request_key
from nexus.body import read_body
from nexus.errors import BrokenJSON, NexusError, Unauthenticated, UnsupportedMediaType, ValidationFailed
from nexus.schemas.fields import Input, problems
from nexus.security import receipts
from nexus.security.tokens import current_session

View = TypeVar("View", bound=Callable[..., Any])


# Without `eq`, so that it is a cheap key of the cache of queries: by its identity.
@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """The declaration of one endpoint.

    The view gets `body` and `query` as instances of these models, and `user` as the signed-in account: not
    at all when `sign_in` is None, possibly None when it is "optional". With `session`, the view gets the
    caller's session, its account loaded, instead of `user`. With `receipt`, it gets the receipt that the
    request presents, valid or not, or None; a caller who presents one need not be signed in. With
    `idempotent`, it gets the request's `key`, or None. It returns an `answer`, which is sent with `status`,
    or a complete Response. `errors` are those beyond the ones that its input implies, and `invalid` makes the
    error that lists the input's problems.

    The rest only documents: `scheme` is the security scheme where that is not a session, `headers` are the
    response headers and `takes` the request headers and cookies (see `openapi.headers`), `media` is the
    response's media type, and `reads` is False for an endpoint that reads no input.
    """

    answer: Any = None
    status: int = 200
    body: type[Input] | None = None
    query: type[Input] | None = None
    sign_in: str | None = None
    session: bool = False
    receipt: bool = False
    idempotent: bool = False
    errors: tuple[type[NexusError], ...] = ()
    invalid: Callable[[list[dict[str, Any]]], ValidationFailed] = ValidationFailed
    scheme: str | None = None
    headers: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    media: str = "application/json"
    reads: bool = True


def endpoint(**declaration: Any) -> Callable[[View], Callable[..., Response]]:
    """Declare a view (see Endpoint); of several errors the first is reported: 413, 401, 415, 400."""
    declared = Endpoint(**declaration)

    def decorate(view: View) -> Callable[..., Response]:
        @wraps(view)
        def call(**arguments: Any) -> Response:
            # The request itself, since Flask's proxy would look it up at each access.
            request = _cv_request.get().request
            raw = read_body(request)
            if declared.receipt:
                arguments["receipt"] = receipts.presented(request)
            if declared.sign_in:
                session = current_session(request)
                if session:
                    # For the request's log line.
                    _cv_app.get().g.user_id = session.user_id
                elif arguments.get("receipt") is None and declared.sign_in == "required":
                    raise Unauthenticated
                if declared.session:
                    arguments["session"] = session
                else:
                    arguments["user"] = session and session.user
            document = parse(request, raw)
            if declared.body or document:
                body = _validate(declared, declared.body or Input, document)
                if declared.body:
                    arguments["body"] = body
            asked = request.environ.get("QUERY_STRING", "")
            if declared.query or asked:
                # Many visitors ask for the same public lists. Long queries could fill the memory.
                is_shared = declared.query and declared.sign_in != "required" and len(asked) <= 256
                query = (_cached_query if is_shared else _query)(declared, asked)
                if declared.query:
                    arguments["query"] = query
            if declared.idempotent:
                arguments["key"] = request_key(request, document, arguments["user"])
            result = view(**arguments)
            return result if isinstance(result, Response) else reply(result, declared.status)

        call.endpoint = declared  # type: ignore[attr-defined]
        return call

    return decorate


def described(**declaration: Any) -> Callable[[View], View]:
    """Declare a view that takes no input, such as a health probe; it is called directly."""

    def mark(view: View) -> View:
        view.endpoint = Endpoint(reads=False, **declaration)  # type: ignore[attr-defined]
        return view

    return mark


def reply(answer: Mapping[str, Any] | None, status: int = 200) -> Response:
    """Make a JSON response; None makes an empty 204."""
    if answer is None:
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response
    return Document(answer, status)


class Document(Response):
    """A JSON response that is already complete, so it skips Werkzeug's generic header processing."""

    def __init__(self, answer: Mapping[str, Any], status: int) -> None:
        """Serialise a representation."""
        # What Response's own constructor would set, at a quarter of its cost.
        vars(self).update(_prepared(status))
        self.body = orjson.dumps(answer)
        self.response, self.headers, self._on_close = [self.body], Headers(), []
        self.headers._list.append(("Content-Type", "application/json"))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Send the response as a WSGI application does."""
        if self.status_code == 304 or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, [*self.headers, ("Content-Length", str(len(self.body)))])
        return [self.body]

    def calculate_content_length(self) -> int:
        """The length of the body, which is right unless `set_data` replaced it."""
        return len(self.body)


@cache
def _prepared(status: int) -> dict[str, Any]:
    """The attributes of a response with this status."""
    return vars(Response(status=status))


def parse(request: Request, raw: bytes) -> dict[str, Any]:
    """Parse the body as a JSON object; an absent body is an empty object and needs no content type."""
    if not raw:
        return {}
    environ = request.environ
    # What most clients send need not be parsed.
    is_usual = environ.get("CONTENT_TYPE") == "application/json" and "HTTP_CONTENT_ENCODING" not in environ
    if not is_usual and not _is_json(request):
        raise UnsupportedMediaType
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BrokenJSON from None
    if not isinstance(document, dict):
        raise BrokenJSON
    return document


def _is_json(request: Request) -> bool:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower()
    return request.mimetype == "application/json" and charset in ("utf-8", "utf8") and encoding == "identity"


def _query(declared: Endpoint, asked: str) -> Input:
    lists = [*Request({"QUERY_STRING": asked}).args.lists()]
    given = {name: values[0] for name, values in lists if not (declared.receipt and name == "receipt")}
    repeated = [{"field": name, "code": "repeated"} for name, values in lists if len(values) > 1]
    return _validate(declared, declared.query or Input, given, repeated)


_cached_query = lru_cache(1024)(_query)


def _validate(
    declared: Endpoint, model: type[Input], given: dict[str, Any], found: Sequence[dict[str, Any]] = ()
) -> Input:
    try:
        # A field that is null counts as left out.
        read = model.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        found = [*found, *problems(error)]
    if found:
        raise declared.invalid([*found])
    return read
