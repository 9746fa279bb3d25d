"""A lease: one process of all machines loads a vendor into a lake, and one builds.

A lease is an advisory lock of Postgres, on a session of its own that does nothing else
but say every few seconds that the process is there. Postgres ends a session that is
silent, as of a process that is stopped or of a machine that is cut off, and with it the
lease. Each holder has another token, and Postgres lets nobody commit to a lake but with
the token of its lease: what comes late from a process that lost it fails.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipelines.warehouse.lake import SILENCE, TOKENS, LakeStore, psycopg
from pipelines.warehouse.locks import REPORT_AFTER, Holder, LockedError, tell_of
from pipelines.warehouse.queries import query

BEAT = 4.0
"""Seconds between two signs of life."""
PAUSE = 0.3
"""Seconds between two tries to take a lease."""


@dataclass(frozen=True)
class LakeLease:
    """A lock that counts on all machines that use a lake."""

    store: LakeStore
    name: str
    """That of the lake to which its holder may commit."""
    path: Path
    """The lock of this machine, which is taken first."""

    def hold(
        self,
        what: str,
        timeout: float | Callable[[Holder], float],
        on_wait: Callable[[Holder], None] | None,
        purpose: str,
    ) -> AbstractContextManager[None]:
        """Hold it until the work is done, as `hold` does."""
        return hold(
            self.store, self.name, what, timeout, on_wait=on_wait, purpose=purpose
        )


@contextmanager
def hold(
    store: LakeStore,
    name: str,
    what: str,
    timeout: float | Callable[[Holder], float],
    *,
    on_wait: Callable[[Holder], None] | None = None,
    purpose: str = "",
) -> Iterator[None]:
    """Hold a lease until the work is done; the process may then commit to its lake.

    Raises `LockedError` if another process has it for longer than ``timeout``, and
    `FileError` if Postgres cannot be reached.
    """
    with store.session(silence=SILENCE) as session:
        make(session)
        _take(session, name, what, timeout, on_wait)
        token = str(uuid4())
        holder = f"{os.getpid()} {socket.gethostname()} {purpose}"
        session.execute(query("lease/take"), [name, token, holder])
        with _beating(session):
            TOKENS[store.catalog, name] = token
            try:
                yield
            finally:
                del TOKENS[store.catalog, name]


def make(session: Any) -> None:  # noqa: ANN401 - psycopg is there for a lake only
    """Make what leases need in a database that has none yet."""
    if session.execute(query("lease/made")).fetchone() == (None,):
        session.execute(query("lease/make").replace("{patience}", SILENCE))


def _take(
    session: Any,  # noqa: ANN401 - as above
    name: str,
    what: str,
    timeout: float | Callable[[Holder], float],
    on_wait: Callable[[Holder], None] | None,
) -> None:
    began, is_reported = time.monotonic(), False
    while True:
        (is_taken,) = session.execute(query("lease/try"), [name]).fetchone()
        if is_taken:
            return
        holder = _holder(session, name)
        waited = time.monotonic() - began
        if waited >= (timeout(holder) if callable(timeout) else timeout):
            raise LockedError(f"{what} is already going on ({holder}); {holder.remedy}")
        if not is_reported and (on_wait or waited >= REPORT_AFTER):
            (on_wait or tell_of)(holder)
            is_reported = True
        time.sleep(PAUSE)


def _holder(session: Any, name: str) -> Holder:  # noqa: ANN401 - as above
    row = session.execute(query("lease/holder"), [name]).fetchone()
    if row is None:
        return Holder()
    process, host, purpose = row[0].split(" ", 2)
    return Holder(int(process), row[1], purpose, host)


@contextmanager
def _beating(session: Any) -> Iterator[None]:  # noqa: ANN401 - as above
    """Say from another thread that this process is there, until the block ends."""
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(BEAT):
            try:
                session.execute("select 1")
            except psycopg.Error:
                return  # the lease is lost, and Postgres takes nothing more

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
