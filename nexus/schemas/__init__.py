"""What the wire looks like: the bodies and queries that come in, the representations that go out."""
