"""`flask` in a process of its own, forked from one that has loaded the libraries already."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: What a command imports of others, which is most of a start. Our own code comes anew from its folder.
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
    """Run a command of `flask` in a folder, with this environment alone, and answer how it ended."""
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
    """Be `python -m flask`, as if just started."""
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (stream, mode) in enumerate(zip(streams, modes, strict=True)):
        os.dup2(os.open(stream, mode), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - It stays open as long as the process.
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    ours = Path(__file__).parent.parent
    sys.path = [str(cwd), *(path for path in sys.path if Path(path or ".") not in (ours, cwd))]
    sys.argv = ["flask", *words]
    from flask.cli import main

    main()
