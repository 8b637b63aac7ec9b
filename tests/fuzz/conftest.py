"""What the fuzz has to show at the end of a run: how many cases each caller sent in each phase."""

from typing import Any

#: Under which a test leaves its counts for the end.
CASES = "cases of the fuzz"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show a line for each caller, and the sum."""
    tests = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    counts = [found for test in tests for name, found in test.user_properties if name == CASES]
    if not counts:
        return
    terminalreporter.section("cases of the fuzz")
    for caller, phases in counts:
        listed = ", ".join(f"{number} {phase}" for phase, number in phases.items())
        terminalreporter.write_line(f"{caller}: {sum(phases.values())} ({listed})")
    terminalreporter.write_line(f"in all: {sum(sum(phases.values()) for _, phases in counts)}")
