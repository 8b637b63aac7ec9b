"""What a server refuses before there is a whole request; the application answers it as an error."""

from http import HTTPStatus

from nexus.errors import BadRequest, BodyTooLarge, NexusError

#: Where the WSGI environment of a request that could not be read tells the status of its answer.
REFUSED = "nexus.refused"


class RequestTimeout(NexusError):
    """The request began to arrive and did not end in time."""

    code = "request_timeout"
    status = HTTPStatus.REQUEST_TIMEOUT
    title = "Request timed out"


class URITooLong(NexusError):
    """The request line has more than 8,190 bytes."""

    code = "uri_too_long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    title = "URL too long"


class HeadTooLarge(NexusError):
    """One header has more than 8,190 bytes, all of them more than 65,536, or there are more than 64."""

    code = "head_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    title = "Headers too large"


class UnknownTransferCoding(NexusError):
    """The body is announced in a `Transfer-Encoding` other than `chunked`."""

    code = "unknown_transfer_coding"
    status = HTTPStatus.NOT_IMPLEMENTED
    title = "Unknown transfer coding"


REFUSALS: dict[int, type[NexusError]] = {
    error.status.value: error
    for error in (BadRequest, BodyTooLarge, RequestTimeout, URITooLong, HeadTooLarge, UnknownTransferCoding)
}
