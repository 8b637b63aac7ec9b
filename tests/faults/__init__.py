"""What happens when things break: real processes, real faults."""
