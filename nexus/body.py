"""Reading the body of a request: the whole body or an error."""

from flask import Request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from nexus.errors import BadRequest, BodyTooLarge, BrokenJSON
from nexus.limits import MAX_BODY

#: Python refuses to convert thousands of digits to a number.
DIGITS = 10


def read_body(request: Request) -> bytes:
    """Read the whole body, so that no part of it is processed alone.

    Raises BodyTooLarge above the limit, BrokenJSON if the body ended early, BadRequest if it was malformed.
    """
    environ = request.environ
    given, is_whole = environ.get("CONTENT_LENGTH", "0"), "HTTP_TRANSFER_ENCODING" not in environ
    if given == "0" and is_whole:
        return b""
    # Usually a few digits, and Werkzeug would first look for all that it could be otherwise.
    is_usual = is_whole and given.isdecimal() and len(given) < DIGITS
    length = int(given) if is_usual else request.content_length
    if length is not None and length > MAX_BODY:
        raise BodyTooLarge
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""
    wanted = MAX_BODY + 1 if length is None else length
    stream, body = environ["wsgi.input"], bytearray()
    try:
        while len(body) < wanted and (chunk := stream.read(wanted - len(body))):
            body += chunk
    except (OSError, ParseException):
        # The client disconnected or sent invalid chunks; gunicorn does not answer these itself.
        raise BadRequest from None
    if length is None and len(body) == wanted:
        raise BodyTooLarge
    if length is not None and len(body) < wanted:
        raise BrokenJSON
    return bytes(body)
