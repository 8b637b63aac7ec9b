"""The summary at the end of a run: how many cases each caller sent in each phase."""

from typing import Any

#: The property under which a test records its counts for the summary.
CASES = "cases of the fuzz"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show one line per caller, and the total."""
    tests = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    counts = [found for test in tests for name, found in test.user_properties if name == CASES]
    if not counts:
        return
    terminalreporter.section("cases of the fuzz")
    for caller, phases in counts:
        listed = ", ".join(f"{number} {phase}" for phase, number in phases.items())
        terminalreporter.write_line(f"{caller}: {sum(phases.values())} ({listed})")
    terminalreporter.write_line(f"in all: {sum(sum(phases.values()) for _, phases in counts)}")
