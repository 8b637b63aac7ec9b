"""Files that appear only when complete, and are readable by their owner only."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from nexus.transfer.problems import TransferError

OWNER_ONLY = 0o600


@contextmanager
def whole(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a file under a temporary name in the same folder, and rename it when the block succeeds.

    If the block ends in any other way (error, Ctrl-C, SIGTERM), the temporary file is removed and an old
    file is left unchanged. TransferError if the path exists, unless it is a regular file to `replace`, and
    for an OSError.
    """
    # A symbolic link stays, and its target is written.
    path = path.resolve()
    try:
        _refuse(path, replace=replace)
        with stoppable():
            part = path.with_name(f".nexus-{token_hex(8)}.part")
            # Created inside the block that removes it, since a signal may come right after.
            try:
                part.touch(OWNER_ONLY, exist_ok=False)
                # The umask may have removed permissions.
                part.chmod(OWNER_ONLY)
                # Opened by name, so that `file.name` can be passed to another program.
                with part.open("wb") as file:
                    yield file
                    file.flush()
                    # After a power failure, no file with the final name must lack its content.
                    os.fsync(file.fileno())
                _name(part, path, replace=replace)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise TransferError(f"{path}: {error.strerror or error}") from error


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM act like Ctrl-C, so that unfinished work is cleaned up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _name(part: Path, path: Path, *, replace: bool) -> None:
    """Give the file its final name, unless another file has taken it in the meantime."""
    if not replace:
        try:
            path.hardlink_to(part)
        except OSError:
            # The name is taken, or the file system does not support hard links.
            _refuse(path, replace=False)
        else:
            part.unlink()
            return
    part.replace(path)


def _refuse(path: Path, *, replace: bool) -> None:
    if path.exists() and not path.is_file():
        raise TransferError(f"{path} is not a regular file")
    if path.exists() and not replace:
        raise TransferError(f"{path} already exists: add --force to replace it")
