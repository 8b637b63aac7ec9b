"""Files that appear only when they are whole, and that their owner alone can read."""

import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nexus.transfer.problems import TransferError


@contextmanager
def whole(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a file under a temporary name beside its own, which it gets when the block has ended well.

    However it ends else, by Ctrl-C or SIGTERM too, nothing is left and what was there stays. TransferError
    where something is, unless that is an ordinary file to `replace`, and for what the system refuses.
    """
    # The file behind a link is what is written, and not the link.
    path = path.resolve()
    try:
        _refuse(path, replace=replace)
        with stoppable():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".nexus-", suffix=".part")
            try:
                # It was made with these or, by the umask, with fewer.
                os.fchmod(handle, stat.S_IRUSR | stat.S_IWUSR)
                os.close(handle)
                # Opened by its name, so that the file has one which another program can be told.
                with Path(name).open("wb") as file:
                    yield file
                    file.flush()
                    # A power cut must not find the name on a file without its content.
                    os.fsync(file.fileno())
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise TransferError(f"{path}: {error.strerror or error}") from error


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that what is unfinished is cleared away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse(path: Path, *, replace: bool) -> None:
    if path.exists() and not path.is_file():
        raise TransferError(f"{path} is no ordinary file")
    if path.exists() and not replace:
        raise TransferError(f"{path} is there already: add --force to replace it")
