"""The product compared with alternative implementations: `python -m tests.benchmarks.peers`."""
