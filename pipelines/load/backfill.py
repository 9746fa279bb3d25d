"""One vendor's backfill: a range of days, batch by batch, between nightly runs.

It locks the vendor for one batch at a time, so that rate limit and quota hold, and lets
a waiting run go first. The ledger says what is done: the same command goes on from
there.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from pipelines.config.model import Config, Vendor
from pipelines.load.loader import (
    known_reads,
    load_plan,
)
from pipelines.load.turns import Progress, clock_from
from pipelines.load.work_plan import backfill_work
from pipelines.planning.planner import BACKFILL, BackfillRequest, refuse_earlier
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.locks import RUN_TIMEOUT, Holder, in_turn, only_one
from pipelines.warehouse.paths import Warehouse


def backfill(
    vendor: Vendor,
    config: Config,
    now: datetime,
    request: BackfillRequest,
    progress: Progress,
) -> LoadResult:
    """Load what is not stored yet of a range of days of one vendor.

    Raises `ClockError`. Errors of the vendor are in the result.
    """
    began = time.monotonic()
    warehouse, clock = config.warehouse, clock_from(now)

    @contextmanager
    def turn() -> Iterator[None]:
        with _batch_turn(vendor, warehouse, progress):
            yield

    reads = known_reads(warehouse, vendor.name)
    refuse_earlier(clock(), reads, vendor.name)
    work = backfill_work(vendor, request, now, reads)
    as_of = now if config.is_as_of else None
    result = load_plan(
        vendor,
        warehouse,
        work,
        clock,
        progress,
        turn=turn,
        as_of=as_of,
        privacy=config.privacy,
    )
    return replace(result, seconds=time.monotonic() - began)


@contextmanager
def _batch_turn(
    vendor: Vendor, warehouse: Warehouse, progress: Progress
) -> Iterator[None]:
    """Lock the vendor for a batch, after every run that waits for it."""

    def show(holder: Holder) -> None:
        note = f"waits until the run that loads {vendor.name} ends ({holder})"
        progress(vendor.name, 0, 0, 0, note)

    # Released at once: only a run may keep this lock while it waits.
    with in_turn(warehouse.queue_lock(vendor.name)):
        pass
    with only_one(
        warehouse.vendor_lock(vendor.name),
        f"loading {vendor.name}",
        timeout=RUN_TIMEOUT,
        on_wait=show,
        purpose=BACKFILL,
    ):
        yield
