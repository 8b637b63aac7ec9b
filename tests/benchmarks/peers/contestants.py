"""Who is measured: how each is installed, outside the checkout, and how it is started and stopped."""

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
#: Fresh in every run, and the same for all, so that a token is good at each of them.
KEYS = {"JWT_SECRET_KEY": secrets.token_hex(32), "RECEIPT_SECRET_KEY": secrets.token_hex(32)}
PROCESSES = 2
#: Seconds in which a server must answer, and in which it must stop.
PATIENCE = 60


class Missing(Exception):
    """A contestant cannot be had on this machine; the text is one line that says why."""


@dataclass(frozen=True)
class Contestant:
    """One service: its name, how it is installed (into a directory, which is kept), and its command there."""

    name: str
    title: str
    #: A directory of tests/benchmarks/peers, or the product's.
    folder: Path
    install: Callable[["Contestant"], None]
    command: tuple[str, ...]
    #: Connections of a process.
    pool: int = 4
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Whether it is the product, which has its own settings and database.
    ours: bool = False

    @property
    def place(self) -> Path:
        """Where it is installed."""
        return CACHE / self.name

    @property
    def installed(self) -> bool:
        """Whether what its folder asks for has been installed."""
        stamp = self.place / "installed"
        return stamp.exists() and stamp.read_text() == self.version()

    def version(self) -> str:
        """A digest of what it is installed from."""
        digest = hashlib.sha256(repr(self.command).encode())
        for file in sorted(self.sources()):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def sources(self) -> list[Path]:
        """The files by which it is installed."""
        if self.folder == ROOT:
            return [ROOT / "requirements.txt"]
        if (self.folder / "requirements.txt").exists():
            return [self.folder / "requirements.txt"]
        return [file for file in self.folder.rglob("*") if file.is_file()]

    def prepare(self) -> None:
        """Install it unless it is; Missing where that fails."""
        if not self.folder.exists():
            raise Missing(f"there is no folder {self.folder.name}")
        if not self.installed:
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir(parents=True)
            self.install(self)
            (self.place / "installed").write_text(self.version())


def _nothing(_: Contestant) -> None:
    """The product is there already, in the environment that runs this."""


def _python(contestant: Contestant) -> None:
    """A virtual environment of its own."""
    _run(sys.executable, "-m", "venv", contestant.place / "venv")
    pip = (contestant.place / "venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(*pip, "-r", contestant.sources()[0])
    if contestant.folder == ROOT:
        _run(*pip, GRANIAN)


def _node(contestant: Contestant) -> None:
    """A copy of the folder, in which npm installs."""
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
        told = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise Missing(told[0].strip()[:200])


def _peer(name: str, title: str, *, pool: int = 4) -> Contestant:
    """One whose folder has a requirements.txt and a program `start`, or else a package.json."""
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
    """Serve from this database; the URL at which it answers. Missing where it does not come up."""
    port = free_port()
    node = (contestant.folder / "package.json").exists()
    folder = contestant.place / "app" if node else contestant.folder
    log = logs / f"{contestant.name}.log"
    with log.open("wb") as lines:
        # In a session of its own, so that Ctrl-C is ours to handle and all its processes are stopped.
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
    """What it is told; of this process's environment all but the product's settings."""
    settings = {name.upper() for name in Settings.model_fields}
    known = {name: value for name, value in os.environ.items() if name not in settings}
    known["PATH"] = f"{contestant.place / 'venv' / 'bin'}{os.pathsep}{known.get('PATH', os.defpath)}"
    told = {"HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": database, **KEYS, **contestant.variables}
    if contestant.ours:
        production = {"APP_ENV": "production", "RATE_LIMIT_ENABLED": "false", "PYTHONPATH": str(ROOT)}
        return {**known, **told, **production, "WEB_CONCURRENCY": str(PROCESSES)}
    sizes = {"PROCESSES": str(PROCESSES), "POOL_SIZE": str(contestant.pool)}
    return {**known, **told, **sizes, "RECEIPT_KEY": KEYS["RECEIPT_SECRET_KEY"]}


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, OSError), urllib.request.urlopen(f"{url}/api/products/1", timeout=5):
            return
        time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    raise Missing(f"it does not answer: {said[-1][:200]} ({log})")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to stop, and end whatever of its session is left."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
