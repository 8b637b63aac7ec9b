"""The number of generated cases per phase: schemathesis itself reports only the total."""

import json
import os
from pathlib import Path
from typing import Any


class Counted:
    """A check that never fails, and writes the number of cases of each phase at the end."""

    def __init__(self) -> None:
        """Start without cases."""
        # By id, since failed cases are sent again to minimise them.
        self.cases: dict[str, set[str]] = {}

    def after_response(self, _: Any, __: Any, case: Any) -> None:
        """Count a case."""
        self.cases.setdefault(case.meta.phase.name.value, set()).add(case.id)

    def after_run(self, _: Any) -> None:
        """Write the counts to a file."""
        counts = {phase: len(cases) for phase, cases in self.cases.items()}
        Path(os.environ["FUZZ_COUNTS"]).write_text(json.dumps(counts), "utf-8")
