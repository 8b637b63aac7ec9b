"""The client of the package, against a server as the Procfile starts it."""
