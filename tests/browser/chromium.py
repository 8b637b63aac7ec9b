"""A headless Chromium, controlled over a pipe with the DevTools protocol."""

import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections import deque
from pathlib import Path
from typing import Any

#: The browser's name in Debian and elsewhere.
PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: How many seconds to wait for anything before the test fails.
PATIENCE = 60
FLAGS = [
    "--headless=new",
    "--remote-debugging-pipe",
    # In a container tests run as root, which the sandbox refuses; the pages are our own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--mute-audio",
    # Nothing leaves the machine, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
Event = dict[str, Any]


class Refused(Exception):
    """The browser refused a command."""


class Gone(Refused):
    """The page was replaced by another one during a command."""


class Chromium:
    """A running browser; it exits when its pipe closes, so it never outlives the tests."""

    def __init__(self, home: Path) -> None:
        """Start the browser with its profile in this folder."""
        assert PROGRAM
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Keep clear of descriptors 3 and 4, where the browser expects its pipe.
        source, sink = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out))
        quiet = os.open(os.devnull, os.O_RDWR)
        duplicates = ((source, 3), (sink, 4), (quiet, 1), (quiet, 2))
        self._pid = os.posix_spawn(
            PROGRAM,
            [PROGRAM, *FLAGS, f"--user-data-dir={home}"],
            {**os.environ, "HOME": str(home)},
            file_actions=[(os.POSIX_SPAWN_DUP2, one, other) for one, other in duplicates],
            setpgroup=0,
        )
        for end in (theirs_in, theirs_out, source, sink, quiet):
            os.close(end)
        self._number = 0
        self._read = b""
        self.events: deque[Event] = deque()

    def send(self, method: str, *, session: str | None = None, **parameters: Any) -> Any:
        """Send a command and return its result; raise Refused if it fails."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(PATIENCE)
            if answer is None:
                raise Refused(f"no answer to {method}")
            if answer.get("id") == self._number:
                if "error" in answer:
                    reason = answer["error"]["message"]
                    raise (Gone if "navigated" in reason else Refused)(f"{method}: {reason}")
                return answer["result"]
            self.events.append(answer)

    def listen(self, seconds: float) -> None:
        """Collect the events that arrive within this time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = self._next(left)
            if message is None:
                return
            self.events.append(message)

    def close(self) -> None:
        """Stop the browser."""
        os.close(self._out)
        os.close(self._in)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _next(self, seconds: float) -> Event | None:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._in], [], [], seconds)
            if not ready:
                return None
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise Refused("the browser ended")
            self._read += piece
        message, _, self._read = self._read.partition(b"\0")
        found: Event = json.loads(message)
        return found
