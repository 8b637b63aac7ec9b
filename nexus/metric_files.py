"""The files in which the processes of one gunicorn count together, and what becomes of those that ended."""

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

    prometheus-client looks only once, when it is imported, whether it counts in files, so here it is imported
    where it is needed.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        #: Processes whose counts are still in files of their own.
        self._ended: list[int] = []

    @property
    def shared(self) -> bool:
        """Whether this process counts in files."""
        return self._directory is not None

    def share(self) -> None:
        """Let this process and those that it forks count in files, from now on.

        Whoever cleans the place of temporary files may have taken the directory, and processes that did not
        find it could answer nothing: then the next ones have another.
        """
        if self._directory is None or not self._directory.is_dir():
            self._directory = Path(tempfile.mkdtemp(prefix="nexus-metrics-"))
            # However this process ends but by kill -9; those that it forks leave it alone.
            atexit.register(self._remove, self._directory, by=os.getpid())
            # Whatever was there was another master's.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._directory)

    def join(self) -> None:
        """Count where the master said, in a process that was started by it and not forked."""
        self._directory = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])

    def wipe(self) -> None:
        """Forget what this process counted before it became a master, which serves nobody."""
        for file in self._files():
            file.unlink()

    def merged(self) -> "Iterable[Metric]":
        """The metrics of all processes together."""
        from prometheus_client.multiprocess import MultiProcessCollector

        with self._locked(fcntl.LOCK_SH):
            # A process that is just beginning has made its file and not written to it yet.
            files = [str(file) for file in self._files() if file.stat().st_size]
            return list(MultiProcessCollector.merge(files))

    def end(self, process: int) -> None:
        """Drop the gauges of a process that has ended, and add its counts to those of others that have.

        Otherwise the files of all that ever ran would be read again and again.
        """
        from prometheus_client.multiprocess import mark_process_dead

        self._ended.append(process)
        try:
            mark_process_dead(process, str(self._directory))
            # A reader would see counts twice or not at all. The master waits for nobody: next time, then.
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                while self._ended:
                    self._fold(self._ended.pop())
        except BlockingIOError:
            pass
        except (OSError, RuntimeError, struct.error) as error:
            # The service goes on, whatever became of some counts.
            log.warning("counts of a process were lost", process=process, reason=str(error))

    @staticmethod
    def _remove(directory: Path, *, by: int) -> None:
        if os.getpid() == by:
            shutil.rmtree(directory, ignore_errors=True)

    def _fold(self, process: int) -> None:
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
        """Hold the lock of the directory: readers together, whoever moves counts alone."""
        with Path(str(self._directory), "lock").open("w") as lock:
            fcntl.flock(lock, how)
            yield


metric_files = MetricFiles()
