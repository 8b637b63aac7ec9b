"""Fuzzing: generated requests check that the API behaves as its description says."""
