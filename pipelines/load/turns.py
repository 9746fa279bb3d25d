"""Who loads a vendor when, and what it shows: what commands need that load nothing.

They do not import the loader, which takes half a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from pipelines.config.model import Vendor
from pipelines.planning.planner import BACKFILL
from pipelines.warehouse.locks import Holder, only_one
from pipelines.warehouse.paths import Warehouse

EXIT_TIMEOUT = 20.0
"""Seconds that the children of a killed run may take to end."""

BATCH_TIMEOUT = 900.0
"""Seconds that a run waits for a batch of a backfill: far more than one takes."""

Progress = Callable[[str, int, int, int, str], None]
"""Called with (vendor, windows done, windows planned, records so far, a note or "").

If no window is planned, only the note is shown.
"""


def clock_from(now: datetime) -> Callable[[], datetime]:
    """Return a clock that starts at ``now``."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


@contextmanager
def run_turn(
    vendor: Vendor, warehouse: Warehouse, progress: Progress
) -> Iterator[None]:
    """Lock the vendor for a run; a backfill in progress waits between two batches.

    The queue lock keeps the next place for the run: without it the backfill, which
    starts its next batch at once, would always be faster.
    """

    def timeout(holder: Holder) -> float:
        return BATCH_TIMEOUT if holder.purpose == BACKFILL else EXIT_TIMEOUT

    def show(holder: Holder) -> None:
        if holder.purpose == BACKFILL:
            note = f"waits until a batch of a backfill is in ({holder})"
            progress(vendor.name, 0, 0, 0, note)

    what = f"loading {vendor.name}"
    with ExitStack() as locks:
        next_one = warehouse.queue_lock(vendor.name)
        with only_one(next_one, what, timeout=EXIT_TIMEOUT):
            lock = warehouse.vendor_lock(vendor.name)
            locks.enter_context(only_one(lock, what, timeout=timeout, on_wait=show))
        yield
