"""`python3 -m nexus` in its environment: prepares the database, serves, and leaves no process behind."""

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
from nexus.env_file import SettingsError, current, save
from nexus.errors import DatabaseUnavailable
from nexus.metric_files import metric_files
from nexus.migrate import History, MigrationError
from nexus.seed import is_planted, plant_if_empty, sign_in

#: Seconds in which the workers of a killed master notice that it is gone, and release the port.
ORPHANS = 3.0
LAST_PORT = 65_535
STOPS = (signal.SIGINT, signal.SIGTERM)


class UpError(Exception):
    """The shop cannot start; the text says what to do."""


def main() -> int:
    """Serve until told to stop, and return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Before the application is loaded here, since the workers inherit it.
        metric_files.share()
        # The bootstrap blocked them, since they could not be handled during our imports.
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
        return _refuse(f"{error}: fix that and start again")
    except KeyboardInterrupt:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        embedded.release()
        # If the last exec() was interrupted (dataclasses use it), Python would exit by a signal, whatever
        # we return.
        exec("")  # noqa: S102 - an empty text.
    return 0


def prepare() -> Settings:
    """Prepare everything that serving needs: settings, port, PostgreSQL, schema."""
    if current(DOTENV, "APP_ENV") is None:
        save(DOTENV, "APP_ENV", "development")
        _say("APP_ENV was unset: saved APP_ENV=development in .env")
    settings = load_settings()
    await_port("127.0.0.1" if settings.development else "0.0.0.0", settings.port)  # noqa: S104
    if settings.database_url is None:
        embedded.url()
    applied = History.of(settings, waiting=lambda holder: _say(f"waiting: {holder}")).migrate()
    if applied:
        _say(f"migrated: {', '.join(applied)}")
    return settings


def stock(settings: Settings) -> tuple[str, str] | None:
    """Seed a shop without users; return e-mail and password of the seeded user if there is one."""
    with create_app(settings).app_context():
        report = plant_if_empty(settings)
        if report:
            _say(str(report))
        return sign_in() if is_planted() else None


def await_port(host: str, port: int) -> None:
    """Make sure that the port is free; UpError if another process keeps using it."""
    deadline = time.monotonic() + ORPHANS
    while True:
        with socket.socket() as listener:
            # As gunicorn does: recently closed connections do not matter.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
                return
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise UpError(f"PORT {port} is for root only: try PORT=8000 python3 -m nexus") from None
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() > deadline:
                    other = port + 1 if port < LAST_PORT else port - 1
                    advice = f"stop the program there, or choose another: PORT={other} python3 -m nexus"
                    raise UpError(f"PORT {port} is in use: {advice}") from None
        time.sleep(0.1)


class Shop(BaseApplication):  # type: ignore[misc]
    """gunicorn as a library: this process becomes its master, with the settings from `nexus.server`."""

    def __init__(self, settings: Settings, user: tuple[str, str] | None) -> None:
        """Take the settings, and e-mail and password of the seeded user."""
        self._settings = settings
        self._user = user
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn as in production, and hook into its start and its exit."""
        from nexus import server

        for name, value in vars(server).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        if self._settings.development and self.cfg.loglevel == "info":
            # The banner says the same in fewer lines.
            self.cfg.set("loglevel", "warning")
        self._extend("when_ready", self._welcome)
        self._extend("on_exit", lambda _: embedded.release())

    def load(self) -> Any:
        """The application, which each worker loads for itself."""
        return import_app("wsgi:app")

    def _extend(self, hook: str, ours: Any) -> None:
        theirs = self.cfg.settings[hook].get()

        def both(master: Arbiter) -> None:
            theirs(master)
            ours(master)

        self.cfg.set(hook, both)

    def _welcome(self, master: Arbiter) -> None:
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and sys.stdin and sys.stdin.isatty():
            # Closing the terminal should stop it; gunicorn would reload its settings and keep running.
            signal.signal(signal.SIGHUP, lambda *_: master.signal(signal.SIGTERM, None))
        sys.stdout.write(banner(self._settings, self._user))
        sys.stdout.flush()


def banner(settings: Settings, user: tuple[str, str] | None) -> str:
    """The text that is printed at start; `user` is e-mail and password of the seeded user."""
    if not settings.development:
        return f"nexus is serving on port {settings.port}\n"
    address = f"http://127.0.0.1:{settings.port}"
    opening = (
        f"\nNexus is running at {address}; stop it with Ctrl-C.\n"
        f"API documentation, to read and try in a browser: {address}/docs\n"
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
