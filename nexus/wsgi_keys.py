"""The keys of a WSGI environment by which our server and the application cooperate."""

#: The status of the error response to a request that the server rejects.
REFUSED = "nexus.refused"
#: A function that calls another one, once the response is sent: for work that no client should wait for.
AFTERWARDS = "nexus.afterwards"
