"""Advisory locks: who is loading, who is building, said in one sentence.

The kernel frees a lock when its process dies, however it dies, so none is ever
stale; the file's text only serves to say who holds it.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


class LockedError(Exception):
    """Somebody else is doing this; the sentence says who and since when."""


@contextmanager
def only_one(path: Path, what: str, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock for one's whole work, or raise `LockedError`.

    ``patience`` is how many seconds a holder may take to die.
    """
    with _opened(path) as handle:
        if not _taken(handle, time.monotonic() + patience):
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
            raise LockedError(
                f"{what} is already going on ({holder or 'by another process'}); wait "
                "until it ends, or stop it"
            )
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z"
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()}, since {since}".encode(), 0)
        yield


def _taken(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        else:
            return True


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
