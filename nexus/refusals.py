"""Errors for requests that the server rejects before they are complete; the application renders them."""

from http import HTTPStatus

from nexus.errors import BadRequest, BodyTooLarge, NexusError


class RequestTimeout(NexusError):
    """The request did not arrive completely in time."""

    code = "request_timeout"
    status = HTTPStatus.REQUEST_TIMEOUT
    title = "Request timed out"


class URITooLong(NexusError):
    """The request line is longer than 8,190 bytes."""

    code = "uri_too_long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    title = "URL too long"


class HeadTooLarge(NexusError):
    """A header is larger than 8,190 bytes, all together than 65,536, or there are more than 64."""

    code = "head_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    title = "Headers too large"


class UnknownTransferCoding(NexusError):
    """The body has a `Transfer-Encoding` other than `chunked`."""

    code = "unknown_transfer_coding"
    status = HTTPStatus.NOT_IMPLEMENTED
    title = "Unknown transfer coding"


REFUSALS: dict[int, type[NexusError]] = {
    error.status.value: error
    for error in (BadRequest, BodyTooLarge, RequestTimeout, URITooLong, HeadTooLarge, UnknownTransferCoding)
}
