"""Files that appear only when they are whole, and that their owner alone can read."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from nexus.transfer.problems import TransferError

OWNER_ALONE = 0o600


@contextmanager
def whole(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a file under a temporary name beside its own, which it gets when the block has ended well.

    If the block ends in any other way (error, Ctrl-C, SIGTERM), the part is removed and the old file
    untouched. TransferError where the path exists, except as an ordinary file to `replace`, and for an
    OSError.
    """
    # The file behind a link is what is written, and not the link.
    path = path.resolve()
    try:
        _refuse(path, replace=replace)
        with stoppable():
            part = path.with_name(f".nexus-{token_hex(8)}.part")
            # Made in the block that removes it: a signal may come as soon as it is there.
            try:
                part.touch(OWNER_ALONE, exist_ok=False)
                # By the umask it may have fewer.
                part.chmod(OWNER_ALONE)
                # Opened by its name, so that the file has one which another program can be told.
                with part.open("wb") as file:
                    yield file
                    file.flush()
                    # A power cut must not find the name on a file without its content.
                    os.fsync(file.fileno())
                _name(part, path, replace=replace)
            except BaseException:
                part.unlink(missing_ok=True)
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


def _name(part: Path, path: Path, *, replace: bool) -> None:
    """Give the file its name, which another may have taken meanwhile."""
    if not replace:
        try:
            path.hardlink_to(part)
        except OSError:
            # The name is taken, or the file system has no hard links.
            _refuse(path, replace=False)
        else:
            part.unlink()
            return
    part.replace(path)


def _refuse(path: Path, *, replace: bool) -> None:
    if path.exists() and not path.is_file():
        raise TransferError(f"{path} is no ordinary file")
    if path.exists() and not replace:
        raise TransferError(f"{path} is there already: add --force to replace it")
