"""The product beside what people would write instead: `python -m tests.benchmarks.peers`."""
