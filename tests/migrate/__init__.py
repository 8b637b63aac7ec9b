"""The schema's history: run once, whole or not at all, and known for what it was."""
