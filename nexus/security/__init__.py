"""Authentication, throttling and everything else that keeps accounts safe."""
