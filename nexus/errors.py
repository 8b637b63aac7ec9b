"""Every way in which a request can fail: one family of errors, which `problems.py` renders."""

from http import HTTPStatus
from typing import Any, ClassVar


class NexusError(Exception):
    """A failure that a client is told about; `docs/errors.md` explains each code."""

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]
    title: ClassVar[str]
    #: Added to the answer's headers.
    headers: dict[str, str] = {}  # noqa: RUF012 - Nobody changes it.

    def __init__(self, **extra: Any) -> None:
        """Take members of this one answer that go beside the standard ones, such as `allowed`."""
        super().__init__(self.code)
        self.extra = extra


class ValidationFailed(NexusError):
    """The input has problems; `errors` lists every one of them, by field."""

    code = "validation_failed"
    status = HTTPStatus.BAD_REQUEST
    title = "Validation failed"

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        """Take the problems: `field`, `code`, and what its message names, such as `limit`."""
        super().__init__()
        self.problems = problems


class MissingFields(ValidationFailed):
    """A product was sent without its name or its price."""

    code = "missing_fields"
    title = "Missing required fields"


class UserIdRequired(ValidationFailed):
    """A list of products was asked for without saying whose."""

    code = "user_id_required"
    title = "userId required"


class BrokenJSON(NexusError):
    """The body is not JSON, not an object, or ended before its announced length."""

    code = "broken_json"
    status = HTTPStatus.BAD_REQUEST
    title = "Body is not a JSON object"


class EmailTaken(NexusError):
    """Another account has this e-mail address, whatever its letters' case."""

    code = "email_taken"
    status = HTTPStatus.BAD_REQUEST
    title = "E-mail taken"


class InvalidCredentials(NexusError):
    """The e-mail address is unknown or the password is wrong; which of them is not told."""

    code = "invalid_credentials"
    status = HTTPStatus.UNAUTHORIZED
    title = "Invalid credentials"
    headers = {"WWW-Authenticate": 'Bearer realm="nexus"'}  # noqa: RUF012


class InvalidResetToken(NexusError):
    """The token to choose a new password is unknown, used or too old; which of them is not told."""

    code = "invalid_reset_token"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid reset token"


class Unauthenticated(NexusError):
    """A valid access token is needed and none came, or the one that came is not valid."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED
    title = "Sign-in required"
    headers = {"WWW-Authenticate": 'Bearer realm="nexus"'}  # noqa: RUF012


class Forbidden(NexusError):
    """The thing exists for everyone to see, but belongs to another account."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    title = "Forbidden"


class CrossOrigin(NexusError):
    """A page of another site tried to change something with the visitor's cookie."""

    code = "cross_origin"
    status = HTTPStatus.FORBIDDEN
    title = "Cross-origin request refused"


class NotFound(NexusError):
    """Nothing is there, or nothing that the caller may know of."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class MethodNotAllowed(NexusError):
    """The path exists but does not take this method; `Allow` lists those it takes."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class InvalidTransition(NexusError):
    """The order cannot move to that status from its own; `allowed` lists where it can go."""

    code = "invalid_transition"
    status = HTTPStatus.CONFLICT
    title = "Step not allowed"


class PriceChanged(NexusError):
    """The amount that was sent is not the price any more; `price` and `currency` are today's."""

    code = "price_changed"
    status = HTTPStatus.CONFLICT
    title = "Price changed"


class IdempotencyMismatch(NexusError):
    """The `Idempotency-Key` was used before, with another body."""

    code = "idempotency_mismatch"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Key of another request"


class IdempotencyInProgress(NexusError):
    """The first request with this `Idempotency-Key` is not through yet."""

    code = "idempotency_in_progress"
    status = HTTPStatus.CONFLICT
    title = "Still in progress"
    headers = {"Retry-After": "1"}  # noqa: RUF012


class OpenOrders(NexusError):
    """The account still has orders that are `created` or `processing`; `orders` names them."""

    code = "open_orders"
    status = HTTPStatus.CONFLICT
    title = "Orders are open"


class NotForSale(NexusError):
    """The product is a draft, which not even its owner can order."""

    code = "not_for_sale"
    status = HTTPStatus.CONFLICT
    title = "Not for sale"


class PreconditionFailed(NexusError):
    """The thing was changed since the caller read it: its `ETag` is none of those in `If-Match`."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED
    title = "Changed meanwhile"


class BodyTooLarge(NexusError):
    """The body has more than 262,144 bytes."""

    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class UnsupportedMediaType(NexusError):
    """The body is announced as something else than `application/json` in UTF-8, or as compressed."""

    code = "unsupported_media_type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Unsupported media type"


class Throttled(NexusError):
    """Somebody does this too often; `Retry-After` says when it may be tried again."""

    code = "throttled"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"
    #: The least; every answer has its own.
    headers = {"Retry-After": "1"}  # noqa: RUF012

    def __init__(self, *, wait: int) -> None:
        """Take the seconds to wait."""
        super().__init__()
        self.headers = {"Retry-After": str(wait)}


class BadRequest(NexusError):
    """The request is broken in a way that concerns no field."""

    code = "bad_request"
    status = HTTPStatus.BAD_REQUEST
    title = "Bad request"


class InternalError(NexusError):
    """Something broke on our side; the log has the reason under the request's id."""

    code = "internal_error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal error"


class PoolExhausted(NexusError):
    """Every database connection of this process stayed busy for as long as we wait."""

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
        """Take what the driver said, for the log and for commands; clients are not told."""
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class DatabaseBusy(NexusError):
    """The database gave it up: it took too long, or others were in the way. Nothing was changed."""

    code = "database_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Database busy"
    headers = {"Retry-After": "1"}  # noqa: RUF012


class CommitUnconfirmed(NexusError):
    """It was done, but the standby did not confirm that it has it too, so it may yet be lost."""

    code = "commit_unconfirmed"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not confirmed"
    headers = {"Retry-After": "2"}  # noqa: RUF012


class NotReady(NexusError):
    """The process should get no requests yet; `missing` names what it waits for."""

    code = "not_ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not ready"
    headers = {"Retry-After": "2"}  # noqa: RUF012


def family(root: type[NexusError] = NexusError) -> list[type[NexusError]]:
    """All errors that a client can meet, in the order in which they are defined."""
    return [found for child in root.__subclasses__() for found in (child, *family(child))]
