"""Advisory locks: who is loading, who is building, said in one sentence.

The kernel frees a lock when its process dies, however it dies, so none is ever
stale; the file's text only serves to say who holds it.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class LockedError(Exception):
    """Somebody else is doing this; the sentence says who and since when."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, as the lock file says it."""

    process: int = 0
    since: str = ""
    purpose: str = ""
    """What for, in a word of the planner's such as backfill; "": nothing special."""

    def __str__(self) -> str:
        """Show it for a sentence."""
        if not self.process:
            return "by another process"
        what = f", a {self.purpose}" if self.purpose else ""
        return f"process {self.process}, since {self.since}{what}"


@contextmanager
def only_one(
    path: Path,
    what: str,
    *,
    patience: float | Callable[[Holder], float] = 0.0,
    told: Callable[[Holder], None] = lambda _: None,
    purpose: str = "",
) -> Iterator[None]:
    """Hold a lock for one's whole work, or raise `LockedError`.

    ``patience`` is how many seconds to wait for the holder, or returns them; ``told``
    is called once with who is waited for. ``purpose`` is kept in the lock file.
    """
    with _opened(path) as handle:
        _take(handle, what, patience, told)
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z"
        text = msgspec.json.encode(Holder(os.getpid(), since, purpose))
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
        yield


def _take(
    handle: int,
    what: str,
    patience: float | Callable[[Holder], float],
    told: Callable[[Holder], None],
) -> None:
    began, heard = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle)
            enough = patience(holder) if callable(patience) else patience
            if time.monotonic() - began >= enough:
                raise LockedError(
                    f"{what} is already going on ({holder}); wait until it ends, or "
                    "stop it"
                ) from None
            if not heard:
                told(holder)
            heard = True
            time.sleep(0.1)
        else:
            return


def _holder(handle: int) -> Holder:
    """Read who holds a lock; one that was just taken may not be described yet."""
    try:
        return msgspec.json.decode(os.pread(handle, 400, 0), type=Holder)
    except msgspec.DecodeError:
        return Holder()


@contextmanager
def in_turn(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock for a moment's work, waiting for one's turn."""
    with _opened(path) as handle:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
