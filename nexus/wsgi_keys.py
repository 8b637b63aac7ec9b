"""The keys of a WSGI environment by which our server and the application cooperate."""

#: The status of the error response to a request that the server rejects.
REFUSED = "nexus.refused"
#: A function for what no client should wait for: of a function and its argument, it calls the first, once the
#: response is sent, with a list of this argument and those of some other requests.
AFTERWARDS = "nexus.afterwards"
