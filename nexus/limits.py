"""How much of a request the server takes, in bytes."""

#: The decoded body; more is answered with 413.
MAX_BODY = 262_144
#: The request line with its URL; more is answered with 414.
MAX_LINE = 8_190
#: One header field, cookies included, and how many there may be; more is answered with 431.
MAX_FIELD = 8_190
MAX_FIELDS = 64
#: All of the head, which a client may send without ever ending it.
MAX_HEAD = 65_536
#: The body as it travels, in chunks, whose sizes take room as well.
MAX_ENCODED = 2 * MAX_BODY
