"""`flask db doctor` and every problem that it should find."""
