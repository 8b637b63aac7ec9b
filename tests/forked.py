"""`flask` in a separate process, forked from one that has already loaded the libraries."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: The libraries that a command imports, which take most of its start. Our own code is imported afresh.
LIBRARIES = [
    "flask.cli",
    "argon2",
    "bcrypt",
    "email_validator",
    "flask_jwt_extended",
    "gunicorn.http.errors",
    "peewee_migrate",
    "playhouse.pool",
    "pydantic_settings",
    "structlog",
    "zxcvbn",
]

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(LIBRARIES)


def run(
    words: tuple[str, ...], *, cwd: Path, env: dict[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a `flask` command in a folder with exactly this environment, and return its result."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(typed)
        process = context.Process(target=_become, args=(words, cwd, env, streams))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
        _, out, err = (stream.read_text() for stream in streams)
        assert process.exitcode is not None
        return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _become(words: tuple[str, ...], cwd: Path, env: dict[str, str], streams: list[Path]) -> None:
    """Run as `python -m flask` would, freshly started."""
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (stream, mode) in enumerate(zip(streams, modes, strict=True)):
        os.dup2(os.open(stream, mode), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - It stays open until the process ends.
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    ours = Path(__file__).parent.parent
    sys.path = [str(cwd), *(path for path in sys.path if Path(path or ".") not in (ours, cwd))]
    sys.argv = ["flask", *words]
    from flask.cli import main

    main()
