"""Load vendors at the same time, each in a process of its own.

A vendor that is slow, fails or crashes does not delay or harm another. A child ends
when its parent does, however that ends, so a killed run leaves no lock behind.
"""

import gc
import os
import signal
import threading
from collections.abc import Sequence
from datetime import datetime
from multiprocessing import (
    active_children,
    connection,
    get_context,
    parent_process,
)
from multiprocessing.connection import Connection
from typing import Any, cast

from pipelines.config.model import Config, Vendor
from pipelines.load.failure import failure_of
from pipelines.load.turns import Progress
from pipelines.planning.planner import BackfillRequest, ClockError
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.locks import LockedError
from pipelines.warehouse.opening import RAW_FILE, FileError, is_present, refuse_damaged
from transforms.runner.memory import machine

ONE_LOAD = 160
"""MiB of memory that one vendor's process takes while it loads."""
IMPORTED_ONCE = (
    "pipelines.load.workers",
    "pipelines.load.backfill",
    "dlt",
    "dlt._workspace.cli._plugins",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.sources.helpers.requests",
    "numpy.ma",
    "pendulum.locales.en.locale",
    "pipelines.warehouse.queries",
    "pyarrow.parquet",
)
"""What every load imports, if only when it is needed: the server that forks the loads
imports it once, for five imports cost seconds. A name that is gone does no harm."""
THE_REST = 350
"""MiB of memory for the command, the server that forks the loads, and the sandbox."""


def load_vendors(
    vendors: Sequence[Vendor],
    config: Config,
    now: datetime,
    progress: Progress,
    request: BackfillRequest | None = None,
    *,
    audit: bool = True,
) -> list[LoadResult]:
    """Load vendors at the same time, as memory allows; return their results in order.

    With a ``request`` it is a backfill; without, a run, with an ``audit`` of older
    windows. An interruption ends the children too.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED_ONCE])
    open_ends: dict[Any, tuple[str, Any]] = {}
    results: dict[str, LoadResult] = {}
    at_once = max(1, (machine() - THE_REST) // ONE_LOAD)
    try:
        for vendor in vendors:
            while len(open_ends) >= at_once:
                _listen(open_ends, results, progress)
            receiving, sending = context.Pipe(duplex=False)
            child = context.Process(
                target=_load_one,
                args=(sending, vendor, config, now, request),
                kwargs={"audit": audit},
                name=vendor.name,
            )
            child.start()
            sending.close()
            open_ends[receiving] = vendor.name, child
        while open_ends:
            _listen(open_ends, results, progress)
    except BaseException:
        # A load survives this as it does a power cut, and dlt would not notice a
        # gentler signal before its step is done.
        for started in active_children():
            started.kill()
        raise
    return [results[vendor.name] for vendor in vendors]


def _listen(
    open_ends: dict[Any, tuple[str, Any]],
    results: dict[str, LoadResult],
    progress: Progress,
) -> None:
    """Wait for a message of a child, and add the results of those that ended."""
    for end in connection.wait(list(open_ends)):
        name, child = open_ends[end]
        try:
            message = cast("Connection[Any, Any]", end).recv()
        except EOFError:
            child.join()
            del open_ends[end]
            results.setdefault(name, _died(name, child.exitcode))
            continue
        if isinstance(message, LoadResult):
            results[name] = message
        else:
            progress(*message)


def _died(vendor: str, exitcode: int | None) -> LoadResult:
    sentence = (
        f"the process that loaded {vendor} died (exit code {exitcode}); "
        "what it had stored stays, the next run goes on from there"
    )
    return LoadResult(vendor, errors=(sentence,))


def _load_one(
    sending: Connection,
    vendor: Vendor,
    config: Config,
    now: datetime,
    request: BackfillRequest | None,
    *,
    audit: bool,
) -> None:
    # The parent, which stores nothing, does not import this.
    from pipelines.load.backfill import backfill  # noqa: PLC0415
    from pipelines.load.loader import load  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.umask(0o077)  # raw files hold phone numbers
    gc.freeze()  # what was imported stays: to look through it again costs a tenth

    def progress(name: str, done: int, planned: int, records: int, note: str) -> None:
        sending.send((name, done, planned, records, note))

    try:
        if request is None:
            result = load(vendor, config, now, progress, audit=audit)
        else:
            result = backfill(vendor, config, now, request, progress)
    except (LockedError, ClockError, FileError) as error:
        result = LoadResult(vendor.name, errors=(str(error),))
    except Exception as error:  # noqa: BLE001 - becomes this vendor's result
        if damage := _damage(vendor, config):
            sending.send(LoadResult(vendor.name, errors=(damage,)))
            return
        failure = failure_of(error)
        sentence = f"{vendor.name}: {failure.sentence}"
        result = LoadResult(
            vendor.name, errors=(sentence,), is_blocked=failure.is_of_system
        )
    sending.send(result)


def _damage(vendor: Vendor, config: Config) -> str:
    """Return what is wrong with a vendor's raw file; "": nothing, all can be read.

    Blocks that cannot be read are noticed only when they are read.
    """
    raw = config.warehouse.raw(vendor.name)
    try:
        if is_present(raw):
            refuse_damaged(raw, RAW_FILE)
    except FileError as error:
        return str(error)
    return ""


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
