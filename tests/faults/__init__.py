"""Fault injection: real processes and real faults."""
