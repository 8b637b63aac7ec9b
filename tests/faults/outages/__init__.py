"""Failures of PostgreSQL under load, of every kind that a test can cause."""
