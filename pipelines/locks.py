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


class LockedError(Exception):
    """Somebody else is doing this; the sentence says who and since when."""


@contextmanager
def only_one(
    path: Path,
    what: str,
    *,
    patience: float | Callable[[str], float] = 0.0,
    told: Callable[[str], None] = lambda _: None,
    role: str = "",
) -> Iterator[None]:
    """Hold a lock for one's whole work, or raise `LockedError`.

    ``patience`` is how many seconds to wait for the holder, or says it of one who is
    described to it; ``told`` hears of who is waited for, and ``role`` is added to how
    we are described ourselves.
    """
    with _opened(path) as handle:
        _take(handle, what, patience, told)
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z"
        text = f"process {os.getpid()}, since {since}" + (f", {role}" if role else "")
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
        yield


def _take(
    handle: int,
    what: str,
    patience: float | Callable[[str], float],
    told: Callable[[str], None],
) -> None:
    began, heard = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
            holder = holder or "by another process"
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
