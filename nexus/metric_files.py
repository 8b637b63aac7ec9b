"""The files in which the processes of one server share their metrics, also after a process has ended."""

import atexit
import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = structlog.stdlib.get_logger(__name__)


class MetricFiles:
    """One directory for each master, where each of its processes has files of its own.

    prometheus-client decides at import whether it counts in files, so it is imported inside the methods.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        #: Ended processes whose metrics are still in files of their own.
        self._ended: list[int] = []

    @property
    def shared(self) -> bool:
        """Whether this process counts in files."""
        return self._directory is not None

    def share(self) -> None:
        """Let this process and those that it forks count in files from now on.

        If a cleanup of temporary files has deleted the directory, without which a process could not answer
        any request, the next processes get a new one.
        """
        if self._directory is None or not self._directory.is_dir():
            self._directory = Path(tempfile.mkdtemp(prefix="nexus-metrics-"))
            # Runs at every exit except kill -9; forked processes do not remove it.
            atexit.register(self._remove, self._directory, by=os.getpid())
            # An existing value would belong to another master.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._directory)

    def join(self) -> None:
        """Count in the master's directory, in a process that it spawned instead of forking it."""
        self._directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])

    def wipe(self) -> None:
        """Drop what this process counted before it became the master, which serves no requests."""
        for file in self._files():
            file.unlink()

    def merged(self) -> "Iterable[Metric]":
        """The metrics of all processes together."""
        from prometheus_client.multiprocess import MultiProcessCollector

        with self._locked(fcntl.LOCK_SH):
            # A process that is just starting may have created its file and not written to it yet.
            files = [str(file) for file in self._files() if file.stat().st_size]
            return list(MultiProcessCollector.merge(files))

    def end(self, process: int) -> None:
        """Drop the gauges of a process that has ended, and merge its counts into those of earlier ones.

        Otherwise every scrape would read the files of all processes that ever ran.
        """
        from prometheus_client.multiprocess import mark_process_dead

        self._ended.append(process)
        try:
            mark_process_dead(process, str(self._directory))
            # Without the lock, a reader could see counts twice or not at all. The master must not wait: if
            # the lock is taken, the files are merged the next time.
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                while self._ended:
                    self._merge(self._ended.pop())
        except BlockingIOError:
            pass
        except (OSError, RuntimeError, struct.error) as error:
            # The service continues even if some counts are lost.
            log.warning("counts of a process were lost", process=process, reason=str(error))

    @staticmethod
    def _remove(directory: Path, *, by: int) -> None:
        if os.getpid() == by:
            shutil.rmtree(directory, ignore_errors=True)

    def _merge(self, process: int) -> None:
        from prometheus_client.mmap_dict import MmapedDict

        for file in self._files(of=str(process)):
            kind = file.name.partition("_")[0]
            total = MmapedDict(str(file.with_name(f"{kind}_ended.db")))
            for key, count, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                total.write_value(key, total.read_value(key)[0] + count, 0.0)
            total.close()
            file.unlink()

    def _files(self, *, of: str = "*") -> list[Path]:
        return sorted(self._directory.glob(f"*_{of}.db")) if self._directory else []

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the lock of the directory: shared by readers, exclusive for merging."""
        with Path(str(self._directory), "lock").open("w") as lock:
            fcntl.flock(lock, how)
            yield


metric_files = MetricFiles()
