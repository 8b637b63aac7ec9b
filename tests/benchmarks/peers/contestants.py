"""The contestants: how each is installed outside the checkout, started and stopped."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from nexus.config import ROOT, Settings
from tests.ports import free_port

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexus" / "peers"
GRANIAN = "granian==2.8.7"
#: New in every run, and the same for all, so that a token is valid for each of them.
KEYS = {"JWT_SECRET_KEY": secrets.token_hex(32), "RECEIPT_SECRET_KEY": secrets.token_hex(32)}
PROCESSES = 2
#: Seconds in which a server must respond after its start.
TIMEOUT = 60


class Missing(Exception):
    """A contestant cannot be installed or started here; the message is one line with the reason."""


@dataclass(frozen=True)
class Contestant:
    """A service: its name, how it is installed (into a directory that is kept), and its command."""

    name: str
    title: str
    #: A directory of tests/benchmarks/peers, or the product's checkout.
    folder: Path
    install: Callable[["Contestant"], None]
    command: tuple[str, ...]
    #: Database connections per process.
    pool: int = 4
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Whether it is the product, which has its own settings and database.
    ours: bool = False

    @property
    def place(self) -> Path:
        """Return the directory into which it is installed."""
        return CACHE / self.name

    @property
    def installed(self) -> bool:
        """Return whether it is installed from the current sources."""
        stamp = self.place / "installed"
        return stamp.exists() and stamp.read_text() == self.version()

    def version(self) -> str:
        """Return a digest of what it is installed from."""
        # The Python services are installed with the Python that runs this.
        digest = hashlib.sha256(f"{sys.version} {self.command}".encode())
        for file in sorted(self.sources()):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def sources(self) -> list[Path]:
        """Return the files from which it is installed."""
        if self.folder == ROOT:
            return [ROOT / "requirements.txt"]
        if (self.folder / "requirements.txt").exists():
            return [self.folder / "requirements.txt"]
        return [file for file in self.folder.rglob("*") if file.is_file()]

    def prepare(self) -> None:
        """Install it if necessary; raise Missing if that fails."""
        if not self.folder.exists():
            raise Missing(f"there is no folder {self.folder.name}")
        if not self.installed:
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir(parents=True)
            self.install(self)
            (self.place / "installed").write_text(self.version())


def _nothing(_: Contestant) -> None:
    """Do nothing: the product is installed in the environment that runs this."""


def _python(contestant: Contestant) -> None:
    """Create a separate virtual environment."""
    _run(sys.executable, "-m", "venv", contestant.place / "venv")
    pip = (contestant.place / "venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(*pip, "-r", contestant.sources()[0])
    if contestant.folder == ROOT:
        _run(*pip, GRANIAN)


def _node(contestant: Contestant) -> None:
    """Copy the folder, and install with npm there."""
    if shutil.which("npm") is None:
        raise Missing("npm is not installed")
    app = contestant.place / "app"
    shutil.copytree(contestant.folder, app, ignore=shutil.ignore_patterns("node_modules", ".next"))
    _run("npm", "install", "--no-audit", "--no-fund", cwd=app)
    _run("npm", "run", "build", cwd=app)


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines() or ["no reason given"]
        errors = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise Missing(errors[0].strip()[:200])


def _peer(name: str, title: str, *, pool: int = 4) -> Contestant:
    """Create a contestant whose folder has a requirements.txt and a script `start`, or a package.json."""
    if (HERE / name / "package.json").exists():
        return Contestant(name, title, HERE / name, _node, ("npm", "run", "--silent", "start"), pool)
    return Contestant(name, title, HERE / name, _python, ("sh", "start"), pool)


GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:nexus.server", "wsgi:app")
ON_GRANIAN = ("python", "-m", "nexus.granian_server")
UNIT, PRODUCT = "unit", "nexus"
CONTESTANTS = (
    _peer(UNIT, "Flask + Peewee (the unit)"),
    Contestant(PRODUCT, "Nexus on gunicorn", ROOT, _nothing, GUNICORN, ours=True),
    Contestant("granian", "Nexus on granian", ROOT, _python, ON_GRANIAN, ours=True),
    _peer("fastapi", "FastAPI + SQLAlchemy", pool=10),
    _peer("django", "Django + DRF"),
    _peer("express", "Express + Prisma", pool=10),
    _peer("fastify", "Fastify + pg", pool=10),
    _peer("next", "Next.js + Prisma", pool=10),
)


@contextmanager
def started(contestant: Contestant, *, database: str, logs: Path) -> Iterator[str]:
    """Run a contestant with this database and yield its URL; raise Missing if it does not start."""
    port = free_port()
    node = (contestant.folder / "package.json").exists()
    folder = contestant.place / "app" if node else contestant.folder
    log = logs / f"{contestant.name}.log"
    with log.open("wb") as lines:
        # In a new session, so that only we handle Ctrl-C and can stop all its processes.
        process = subprocess.Popen(
            contestant.command,
            cwd=folder,
            env=_environment(contestant, port=port, database=database),
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, log)
        yield url
    finally:
        _stop(process)


def _environment(contestant: Contestant, *, port: int, database: str) -> dict[str, str]:
    """Return its environment: ours without the product's settings, plus its own settings."""
    settings = {name.upper() for name in Settings.model_fields}
    known = {name: value for name, value in os.environ.items() if name not in settings}
    known["PATH"] = f"{contestant.place / 'venv' / 'bin'}{os.pathsep}{known.get('PATH', os.defpath)}"
    basics = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATABASE_URL": database,
        **KEYS,
        **contestant.variables,
    }
    if contestant.ours:
        production = {"APP_ENV": "production", "RATE_LIMIT_ENABLED": "false", "PYTHONPATH": str(ROOT)}
        return {**known, **basics, **production, "WEB_CONCURRENCY": str(PROCESSES)}
    sizes = {"PROCESSES": str(PROCESSES), "POOL_SIZE": str(contestant.pool)}
    return {**known, **basics, **sizes, "RECEIPT_KEY": KEYS["RECEIPT_SECRET_KEY"]}


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, OSError), urllib.request.urlopen(f"{url}/api/products/1", timeout=5):
            return
        time.sleep(0.1)
    output = log.read_text(errors="replace").strip().splitlines() or ["no output"]
    raise Missing(f"it does not answer: {output[-1][:200]} ({log})")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Terminate it, and kill any remaining processes of its session."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
