"""Every error that a request can end in: one class hierarchy, which `problems.py` renders."""

from http import HTTPStatus
from typing import Any, ClassVar


class NexusError(Exception):
    """An error that clients see; `docs/errors.md` explains each code."""

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]
    title: ClassVar[str]
    #: Added to the headers of the response.
    headers: dict[str, str] = {}  # noqa: RUF012 - Nobody changes it.

    def __init__(self, **extra: Any) -> None:
        """Take members of this response besides the standard ones, such as `allowed`."""
        super().__init__(self.code)
        self.extra = extra


class ValidationFailed(NexusError):
    """The input is invalid; `errors` lists every problem, by field."""

    code = "validation_failed"
    status = HTTPStatus.BAD_REQUEST
    title = "Validation failed"

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        """Take the problems: `field`, `code`, and parameters of the message, such as `limit`."""
        super().__init__()
        self.problems = problems


class MissingFields(ValidationFailed):
    """A product was sent without its name or its price."""

    code = "missing_fields"
    title = "Missing required fields"


class UserIdRequired(ValidationFailed):
    """A list of products was requested without a seller."""

    code = "user_id_required"
    title = "userId required"


class BrokenJSON(NexusError):
    """The body is not JSON, not an object, or shorter than its announced length."""

    code = "broken_json"
    status = HTTPStatus.BAD_REQUEST
    title = "Body is not a JSON object"


class EmailTaken(NexusError):
    """Another account has this e-mail address, regardless of case."""

    code = "email_taken"
    status = HTTPStatus.BAD_REQUEST
    title = "E-mail taken"


class InvalidCredentials(NexusError):
    """The e-mail address is unknown or the password is wrong; the response does not say which."""

    code = "invalid_credentials"
    status = HTTPStatus.UNAUTHORIZED
    title = "Invalid credentials"
    headers = {"WWW-Authenticate": 'Bearer realm="nexus"'}  # noqa: RUF012


class InvalidResetToken(NexusError):
    """The token for a new password is unknown, used or too old; the response does not say which."""

    code = "invalid_reset_token"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid reset token"


class Unauthenticated(NexusError):
    """The call needs a valid access token, and has none or an invalid one."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED
    title = "Sign-in required"
    headers = {"WWW-Authenticate": 'Bearer realm="nexus"'}  # noqa: RUF012


class Forbidden(NexusError):
    """The resource is public, but belongs to another account."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    title = "Forbidden"


class CrossOrigin(NexusError):
    """A page of another site tried to change something with the visitor's cookie."""

    code = "cross_origin"
    status = HTTPStatus.FORBIDDEN
    title = "Cross-origin request refused"


class NotFound(NexusError):
    """There is nothing at this address, or nothing that the caller may see."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class MethodNotAllowed(NexusError):
    """The path does not support this method; `Allow` lists the supported ones."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class InvalidTransition(NexusError):
    """The order cannot move to this status; `allowed` lists the statuses that it can move to."""

    code = "invalid_transition"
    status = HTTPStatus.CONFLICT
    title = "Step not allowed"


class PriceChanged(NexusError):
    """The given amount is no longer the price; `price` and `currency` are the current ones."""

    code = "price_changed"
    status = HTTPStatus.CONFLICT
    title = "Price changed"


class IdempotencyMismatch(NexusError):
    """The `Idempotency-Key` was used before, with another body."""

    code = "idempotency_mismatch"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Key of another request"


class IdempotencyInProgress(NexusError):
    """The first request with this `Idempotency-Key` is still in progress."""

    code = "idempotency_in_progress"
    status = HTTPStatus.CONFLICT
    title = "Still in progress"
    headers = {"Retry-After": "1"}  # noqa: RUF012


class OpenOrders(NexusError):
    """The account still has orders that are `created` or `processing`; `orders` lists them."""

    code = "open_orders"
    status = HTTPStatus.CONFLICT
    title = "Orders are open"


class NotForSale(NexusError):
    """The product is a draft, which not even its owner can order."""

    code = "not_for_sale"
    status = HTTPStatus.CONFLICT
    title = "Not for sale"


class PreconditionFailed(NexusError):
    """The resource has changed since the caller read it: its `ETag` is none of those in `If-Match`."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED
    title = "Changed meanwhile"


class BodyTooLarge(NexusError):
    """The body is larger than 262,144 bytes."""

    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class UnsupportedMediaType(NexusError):
    """The body is not declared as `application/json` in UTF-8, or is compressed."""

    code = "unsupported_media_type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Unsupported media type"


class Throttled(NexusError):
    """Too many attempts; `Retry-After` says when the next one is allowed."""

    code = "throttled"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"
    #: The minimum; every response has its own.
    headers = {"Retry-After": "1"}  # noqa: RUF012

    def __init__(self, *, wait: int) -> None:
        """Take the seconds to wait."""
        super().__init__()
        self.headers = {"Retry-After": str(wait)}


class BadRequest(NexusError):
    """The request is malformed in a way that concerns no field."""

    code = "bad_request"
    status = HTTPStatus.BAD_REQUEST
    title = "Bad request"


class InternalError(NexusError):
    """Something failed on our side; the log has the reason under the request id."""

    code = "internal_error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal error"


class PoolExhausted(NexusError):
    """All database connections of this process were busy for too long."""

    code = "pool_exhausted"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too busy"
    headers = {"Retry-After": "1"}  # noqa: RUF012


class DatabaseUnavailable(NexusError):
    """The database cannot be reached, or the connection to it broke."""

    code = "database_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Database unavailable"
    headers = {"Retry-After": "2"}  # noqa: RUF012

    def __init__(self, reason: str) -> None:
        """Take the driver's message, for the log and for commands; clients do not see it."""
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class DatabaseBusy(NexusError):
    """The database aborted the call: it took too long, or conflicted with others. Nothing was changed."""

    code = "database_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Database busy"
    headers = {"Retry-After": "1"}  # noqa: RUF012


class CommitUnconfirmed(NexusError):
    """The change was made, but the standby did not confirm it, so a fail-over may lose it."""

    code = "commit_unconfirmed"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not confirmed"
    headers = {"Retry-After": "2"}  # noqa: RUF012


class NotReady(NexusError):
    """The process is not ready for requests; `missing` lists what it is waiting for."""

    code = "not_ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not ready"
    headers = {"Retry-After": "2"}  # noqa: RUF012


def family(root: type[NexusError] = NexusError) -> list[type[NexusError]]:
    """All errors that a client can get, in the order of their definition."""
    return [found for child in root.__subclasses__() for found in (child, *family(child))]
