"""Advisory locks: one process loads, one builds; errors name the holder of a lock.

The kernel frees a lock when its process ends in any way, so no lock is ever stale. The
text in the lock file only names the holder. A process that is stopped keeps its locks,
so every wait names the process, and has a timeout.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

FILE_TIMEOUT = 1800.0
"""Seconds to wait for a file: a full build reads the raw files for minutes."""
BUILD_TIMEOUT = 3600.0
"""Seconds to wait for another build and its publish."""
RUN_TIMEOUT = 6 * 3600.0
"""Seconds that a backfill waits for a run of its vendor; a first run takes hours."""
STOPPED_TIMEOUT = 30.0
"""Seconds to wait for a stopped process: it may go on in a moment."""
REPORT_AFTER = 5.0
"""Seconds of a wait before a line on stderr names the holder."""


class LockedError(Exception):
    """Another process holds the lock, or its file cannot be used.

    The sentence names the process and since when, or the file, and what to do.
    """


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a lock, as its file names it."""

    process: int = 0
    since: str = ""
    purpose: str = ""
    """A purpose of the planner, such as backfill; "": a run."""
    host: str = ""
    """The machine; "": this one."""

    def __str__(self) -> str:
        """Return the process, since when and what for, as part of a sentence."""
        if not self.process:
            return "by another process"
        since = f", since {self.since}" if self.since else ""
        what = f", a {self.purpose}" if self.purpose else ""
        stopped = ", which is stopped" if self.is_stopped else ""
        where = f" on {self.host}" if self.host else ""
        return f"process {self.process}{where}{since}{what}{stopped}"

    @property
    def is_stopped(self) -> bool:
        """Return True if the process is stopped, and will not go on by itself."""
        return bool(self.process) and not self.host and _is_stopped(self.process)

    @property
    def remedy(self) -> str:
        """What the operator can do about it."""
        if self.is_stopped:
            n = self.process
            return f"let it go on with: kill -CONT {n}, or end it with: kill -KILL {n}"
        return "wait until it ends, or stop it"


class Lease(Protocol):
    """A lock that counts on all machines, and a file for those on this one."""

    @property
    def path(self) -> Path:
        """The file."""

    def hold(
        self,
        what: str,
        timeout: float | Callable[[Holder], float],
        on_wait: Callable[[Holder], None] | None,
        purpose: str,
    ) -> AbstractContextManager[None]:
        """Hold it until the work is done; raises `LockedError`."""


Lock: TypeAlias = Path | Lease
"""A file, which one process of this machine locks, or a lease."""


@contextmanager
def only_one(
    path: Lock,
    what: str,
    *,
    timeout: float | Callable[[Holder], float] = 0.0,
    on_wait: Callable[[Holder], None] | None = None,
    purpose: str = "",
) -> Iterator[None]:
    """Hold a lock until the work is done; raise `LockedError` if another holds it.

    ``timeout`` is how many seconds to wait for the holder, or a function that returns
    them. ``on_wait`` is called once with the holder; without it, a line on stderr names
    the holder after `REPORT_AFTER` seconds. ``purpose`` is written into the lock file.
    """
    with _opened(_file_of(path)) as handle:
        _take(handle, what, fcntl.LOCK_EX, timeout, on_wait)
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z"
        text = msgspec.json.encode(Holder(os.getpid(), since, purpose))
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
        with _lease(path, what, timeout, on_wait, purpose):
            yield


@contextmanager
def in_turn(
    path: Lock, *, shared: bool = False, timeout: float = FILE_TIMEOUT
) -> Iterator[None]:
    """Wait up to ``timeout`` seconds for a lock, and hold it for a short time.

    ``shared`` lets others hold it shared at the same time. Raises `LockedError` when
    the time is over.
    """
    file = _file_of(path)
    with _opened(file) as handle:
        what = f"work that needs {file}"
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        _take(handle, what, kind, timeout, None)
        with _lease(path, what, timeout, None, ""):
            yield


def _file_of(lock: Lock) -> Path:
    return lock if isinstance(lock, Path) else lock.path


def _lease(
    lock: Lock,
    what: str,
    timeout: float | Callable[[Holder], float],
    on_wait: Callable[[Holder], None] | None,
    purpose: str,
) -> AbstractContextManager[None]:
    if isinstance(lock, Path):
        return nullcontext()
    return lock.hold(what, timeout, on_wait, purpose)


def _take(
    handle: int,
    what: str,
    kind: int,
    timeout: float | Callable[[Holder], float],
    on_wait: Callable[[Holder], None] | None,
) -> None:
    began, stopped, is_reported = time.monotonic(), 0.0, False
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
        else:
            return
        now = time.monotonic()
        stopped = (stopped or now) if holder.is_stopped else 0.0
        enough = timeout(holder) if callable(timeout) else timeout
        is_hopeless = stopped and now - stopped >= min(enough, STOPPED_TIMEOUT)
        if now - began >= enough or is_hopeless:
            raise LockedError(
                f"{what} is already going on ({holder}); {holder.remedy}"
            ) from None
        if not is_reported and (on_wait or now - began >= REPORT_AFTER):
            (on_wait or tell_of)(holder)
            is_reported = True
        time.sleep(0.1)


def tell(sentence: str) -> None:
    """Write one line to stderr, for the operator."""
    sys.stderr.write(f"callhouse: {sentence}\n")
    sys.stderr.flush()


def tell_of(holder: Holder) -> None:
    """Write to stderr which process is waited for."""
    tell(f"waits for another process ({holder})")


def _holder(handle: int) -> Holder:
    """Return the holder of a lock, from the lock file or from the system.

    The file does not name a holder that has just taken the lock, nor one of `in_turn`.
    """
    try:
        holder = msgspec.json.decode(os.pread(handle, 400, 0), type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        holder = Holder()
    owners = _owners(handle)
    if holder.process in owners or not owners:
        return holder
    # Prefer a stopped process: it will not end by itself.
    return Holder(next(filter(_is_stopped, owners), owners[0]))


def _owners(handle: int) -> list[int]:
    """Return the processes that hold a lock, as far as the system shows them."""
    status = os.fstat(handle)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    file = f"{device}:{status.st_ino}"
    try:
        lines = Path("/proc/locks").read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [
        int(row[4])
        for row in rows
        # The line of a process that waits has an arrow before the kind.
        if row[1] == "FLOCK" and row[5] == file and int(row[4]) > 0
    ]


def _is_stopped(process: int) -> bool:
    """Return True if a process exists and was stopped, as by SIGSTOP or Ctrl-Z."""
    try:
        status = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    # The name before it, in brackets, may hold anything.
    return status.rpartition(") ")[2][:1] in {"T", "t"}


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Through a link the file that it leads to would be overwritten.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        if path.is_symlink():
            found = "is a symbolic link, which a lock must not be; delete it"
        elif path.is_dir():
            found = "is a folder, where a lock must be a file; delete it"
        else:
            found = f"cannot be used as a lock: {error.strerror}"
        raise LockedError(f"{path} {found}") from None
    try:
        yield handle
    finally:
        os.close(handle)
