"""Size limits of a request, in bytes."""

#: The decoded body; more is answered with 413.
MAX_BODY = 262_144
#: The request line with its URL; more is answered with 414.
MAX_LINE = 8_190
#: One header field, cookies included, and the number of fields; more is answered with 431.
MAX_FIELD = 8_190
MAX_FIELDS = 64
#: The whole head, which a client could otherwise send without end.
MAX_HEAD = 65_536
#: The body as transferred in chunks, whose sizes take space as well.
MAX_ENCODED = 2 * MAX_BODY
