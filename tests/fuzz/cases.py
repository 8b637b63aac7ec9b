"""How many cases were made, by phase: schemathesis itself says only how many in all."""

import json
import os
from pathlib import Path
from typing import Any


class Counted:
    """A check that fails for nothing, and writes down at the end how many cases each phase had."""

    def __init__(self) -> None:
        """Begin with none."""
        # One that failed is sent again to make it smaller.
        self.cases: dict[str, set[str]] = {}

    def after_response(self, _: Any, __: Any, case: Any) -> None:
        """Count a case."""
        self.cases.setdefault(case.meta.phase.name.value, set()).add(case.id)

    def after_run(self, _: Any) -> None:
        """Write them down."""
        counts = {phase: len(cases) for phase, cases in self.cases.items()}
        Path(os.environ["FUZZ_COUNTS"]).write_text(json.dumps(counts), "utf-8")
