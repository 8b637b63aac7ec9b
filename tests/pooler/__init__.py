"""The shop behind a real PgBouncer."""
