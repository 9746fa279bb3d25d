"""One vendor's backfill: a range of days, batch by batch, between nightly runs.

It has the vendor to itself for a batch at a time, so that pace and quota hold, and
lets a run that waits go first. What is done is in the ledger: the same request goes
on from there.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from pipelines.config.model import Config, Vendor
from pipelines.load.loader import (
    Progress,
    clock_from,
    known_reads,
    load_plan,
)
from pipelines.load.work_plan import backfill_work
from pipelines.planning.planner import BACKFILL, BackfillRequest, refuse_earlier
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.locks import A_RUN, Holder, in_turn, only_one
from pipelines.warehouse.paths import Warehouse


def backfill(
    vendor: Vendor,
    config: Config,
    now: datetime,
    request: BackfillRequest,
    progress: Progress,
) -> LoadResult:
    """Load what one vendor's plan for a range asks for.

    Raises `ClockError`; what the vendor does wrong is in the result.
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
    result = load_plan(vendor, warehouse, work, clock, progress, turn=turn, as_of=as_of)
    return replace(result, seconds=time.monotonic() - began)


@contextmanager
def _batch_turn(
    vendor: Vendor, warehouse: Warehouse, progress: Progress
) -> Iterator[None]:
    """Have the vendor to oneself for a batch, after every run that waits for it."""

    def show(holder: Holder) -> None:
        note = f"waits until the run that loads {vendor.name} ends ({holder})"
        progress(vendor.name, 0, 0, 0, note)

    # Free again at once: only who is not a backfill may wait with it.
    with in_turn(warehouse.queue_lock(vendor.name)):
        pass
    with only_one(
        warehouse.vendor_lock(vendor.name),
        f"loading {vendor.name}",
        timeout=A_RUN,
        on_wait=show,
        purpose=BACKFILL,
    ):
        yield
