"""Tests of the Python client, against a server as the Procfile starts it."""
