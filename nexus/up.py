"""`python3 -m nexus` within its environment: prepares the database, serves, and leaves nothing behind."""

import errno
import os
import signal
import socket
import sys
import time
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.util import import_app  # type: ignore[import-untyped]

from nexus import create_app, embedded
from nexus.config import DOTENV, ROOT, Settings, load_settings
from nexus.embedded import EmbeddedError
from nexus.env_file import SettingsError, keep, kept
from nexus.errors import DatabaseUnavailable
from nexus.metric_files import metric_files
from nexus.migrate import History, MigrationError
from nexus.seed import is_planted, plant_if_empty, sign_in

#: Seconds in which the workers of a killed master notice that it is gone, and leave the port.
ORPHANS = 3.0
LAST_PORT = 65_535
STOPS = (signal.SIGINT, signal.SIGTERM)


class UpError(Exception):
    """The shop cannot open; the text says what to do."""


def main() -> int:
    """Open the shop until it is told to stop, and return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Before the application is loaded here, which the processes will inherit.
        metric_files.share()
        # The bootstrap held them back while our imports could not answer them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        os.chdir(ROOT)
        settings = prepare()
        Shop(settings, stock(settings) if settings.development else None).run()
    except (UpError, SettingsError, EmbeddedError, MigrationError) as error:
        return _refuse(str(error))
    except DatabaseUnavailable as error:
        reason = " ".join(str(error).split())
        return _refuse(f"the database cannot be reached: start it or correct DATABASE_URL ({reason})")
    except OSError as error:
        return _refuse(f"{error}: mend that and start again")
    except KeyboardInterrupt:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        embedded.release()
        # If the last text that it ran was interrupted, as a dataclass is made of one, Python would end by a
        # signal, whatever we return.
        exec("")  # noqa: S102 - of nothing.
    return 0


def prepare() -> Settings:
    """Bring everything to where it can be served: settings, port, PostgreSQL, schema."""
    if kept(DOTENV, "APP_ENV") is None:
        keep(DOTENV, "APP_ENV", "development")
        _say("APP_ENV is development from now on, as .env says")
    settings = load_settings()
    await_port("127.0.0.1" if settings.development else "0.0.0.0", settings.port)  # noqa: S104
    if settings.database_url is None:
        embedded.url()
    applied = History.of(settings, waiting=lambda holder: _say(f"waiting: {holder}")).migrate()
    if applied:
        _say(f"migrated: {', '.join(applied)}")
    return settings


def stock(settings: Settings) -> tuple[str, str] | None:
    """Plant the seed in a shop without users; e-mail and password of the seeded user where there is one."""
    with create_app(settings).app_context():
        report = plant_if_empty(settings)
        if report:
            _say(str(report))
        return sign_in() if is_planted() else None


def await_port(host: str, port: int) -> None:
    """Make sure that the port can be had; UpError when somebody keeps it."""
    deadline = time.monotonic() + ORPHANS
    while True:
        with socket.socket() as listener:
            # As gunicorn will: connections that were closed a moment ago do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
                return
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise UpError(f"PORT {port} is for root only: PORT=8000 python3 -m nexus, say") from None
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() > deadline:
                    other = port + 1 if port < LAST_PORT else port - 1
                    advice = f"stop what listens there, or choose another: PORT={other} python3 -m nexus"
                    raise UpError(f"PORT {port} is busy: {advice}") from None
        time.sleep(0.1)


class Shop(BaseApplication):  # type: ignore[misc]
    """gunicorn as a library: this process becomes its master, with the settings of `nexus.server`."""

    def __init__(self, settings: Settings, user: tuple[str, str] | None) -> None:
        """Take the settings that were prepared for, and e-mail and password of who can sign in."""
        self._settings = settings
        self._user = user
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn as the PaaS does, and be told when it stands and when it ends."""
        from nexus import server

        for name, value in vars(server).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        if self._settings.development and self.cfg.loglevel == "info":
            # The banner says it in fewer lines.
            self.cfg.set("loglevel", "warning")
        self._then("when_ready", self._welcome)
        self._then("on_exit", lambda _: embedded.release())

    def load(self) -> Any:
        """The application, which each worker loads for itself."""
        return import_app("wsgi:app")

    def _then(self, hook: str, ours: Any) -> None:
        theirs = self.cfg.settings[hook].get()

        def both(master: Arbiter) -> None:
            theirs(master)
            ours(master)

        self.cfg.set(hook, both)

    def _welcome(self, master: Arbiter) -> None:
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and sys.stdin and sys.stdin.isatty():
            # A closed terminal means goodbye; gunicorn would load its settings again and stay.
            signal.signal(signal.SIGHUP, lambda *_: master.signal(signal.SIGTERM, None))
        sys.stdout.write(banner(self._settings, self._user))
        sys.stdout.flush()


def banner(settings: Settings, user: tuple[str, str] | None) -> str:
    """What whoever started it wants to know first; `user` is e-mail and password of who can sign in."""
    if not settings.development:
        return f"nexus serves on port {settings.port}\n"
    address = f"http://127.0.0.1:{settings.port}"
    opening = (
        f"\nNexus is open at {address}; Ctrl-C closes it.\n"
        f"Its calls, to read and try in a browser: {address}/docs\n"
    )
    if user is None:
        return f"{opening}\n"
    email, password = user
    body = f"""'{{"email": "{email}", "password": "{password}"}}'"""
    return (
        f"{opening}Sign in as {email} with {password}, or try:\n\n"
        f"curl {address}/api/auth/login -H 'Content-Type: application/json' -d {body}\n\n"
    )


def _say(text: str) -> None:
    sys.stderr.write(f"nexus: {text}\n")


def _refuse(text: str) -> int:
    for line in text.splitlines():
        _say(line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
