"""PostgreSQL fails under load, in every way that a test can arrange."""
