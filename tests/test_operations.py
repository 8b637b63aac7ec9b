"""The pages about operation: every command in them works as written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.config import Settings
from nexus.migrate import History
from nexus.postgres_programs import find
from tests.environment import environment

ROOT = Path(__file__).parent.parent
PAGES = (
    "docs/operations.md",
    "docs/DATABASE.md",
    "docs/security.md",
    *(pytest.param(f"docs/{page}.md", marks=pytest.mark.long) for page in ("deploy", "scaling", "runbooks")),
)
#: Pages that assume a running shop.
RUNNING = ("docs/scaling.md", "docs/runbooks.md")
#: A block of commands, unless the comment before it says why it cannot be run here.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n+)?^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def scripts(page: str) -> list[str]:
    """Return the blocks of a page that can be run, each as a shell script."""
    return [commands(block["text"]) for block in BLOCK.finditer(page) if not block["reason"]]


def commands(block: str) -> str:
    """Return the typed lines: those after `$ ` if there are any, since the others are output."""
    typed = re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)
    return "\n".join(typed) if typed else block.rstrip("\n")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work_in_order(page: str, scratch: Settings, tmp_path: Path) -> None:
    found = scripts((ROOT / page).read_text(encoding="utf-8"))
    if page in RUNNING:
        History.of(scratch).migrate()
    # Last on the PATH, for psql and pg_isready where the system has none.
    programs = find("psql", server=15).parent
    given = environment(
        scratch,
        FLASK_APP=str(ROOT / "wsgi.py"),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(programs)]),
    )

    assert found
    for script in found:
        run = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, f"{script}\n\n{run.stdout}{run.stderr}"


def test_scripts_are_extracted_as_a_person_would_type_them() -> None:
    page = """
```console
# Is it there?
flask db ping   # yes
flask migrate
```

```console
$ flask seed \\
    --json
{"created": []}
$ flask db status
```

<!-- not run: it waits for Enter -->

```console
flask wait
```

```text
flask nothing
```
"""
    assert scripts(page) == [
        "# Is it there?\nflask db ping   # yes\nflask migrate",
        "flask seed \\\n    --json\nflask db status",
    ]
