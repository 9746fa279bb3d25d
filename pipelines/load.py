"""One vendor's night: plan, read, land, in batches that a kill cannot tear.

Runs in a process of its own. The raw file is the only state: dlt's working folder
is emptied first (a killed dlt can leave it unusable for good), pending packages are
never resumed, and what is done is what the ledger in the raw file says.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pipelines.agenda import Agenda, agenda, settled
from pipelines.allowance import VendorRun
from pipelines.config import Account, Config, Vendor
from pipelines.ledger import held, past_reads
from pipelines.locks import in_turn, only_one
from pipelines.news import Tally, watch
from pipelines.outcome import Outcome, added, given_up, key, lost
from pipelines.plan import BACKFILL, PastRead, history_start
from pipelines.quota import spent_today
from pipelines.reading import Terms
from pipelines.sources import open_source
from pipelines.windows import Window

BATCH_WINDOWS = 16
"""Windows of one load package: what a kill can cost, against a second a package."""

LAST_BREATH = 20.0
"""Seconds that the children of a killed run may take to notice and die."""

A_BATCH = 900.0
"""Seconds that a night waits for the batch of a backfill: far more than one takes."""

DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    "RESTORE_FROM_DESTINATION": "false",
}

Progress = Callable[[str, int, int, int, str], None]
"""Told (vendor, windows done, windows planned, records so far, a note or "").

Where nothing is planned, the note alone is told.
"""


def raw_file(warehouse: Path, vendor: str) -> Path:
    """Return the path of a vendor's own file."""
    return warehouse / "raw" / f"{vendor}.duckdb"


def file_lock(warehouse: Path, vendor: str) -> Path:
    """Return the lock that its writer and its readers take in turn."""
    return warehouse / "locks" / f"{vendor}.file.lock"


def run_lock(warehouse: Path, vendor: str) -> Path:
    """Return the lock of who asks a vendor: one at a time, for pace and quota."""
    return warehouse / "locks" / f"{vendor}.run.lock"


def turn_lock(warehouse: Path, vendor: str) -> Path:
    """Return the lock of who is to be the next to ask a vendor."""
    return warehouse / "locks" / f"{vendor}.turn.lock"


def load(vendor: Vendor, config: Config, now: datetime, progress: Progress) -> Outcome:
    """Load all that one vendor's plan asks for.

    Raises `pipelines.locks.LockedError` when the vendor is being loaded already, and
    `pipelines.plan.ClockError`; what the vendor does wrong is in the outcome.
    """
    began = time.monotonic()
    warehouse = config.warehouse
    clock = clock_from(now)
    with _night_turn(vendor, warehouse, progress):
        raw = raw_file(warehouse, vendor.name)
        reads = known_reads(warehouse, vendor.name)
        since = history_start(config.start, config.history_days, now, reads)
        with in_turn(file_lock(warehouse, vendor.name), shared=True):
            tonight = agenda(vendor, raw, since, now, reads)
        outcome = ask(vendor, warehouse, tonight, clock, progress)
        with in_turn(file_lock(warehouse, vendor.name), shared=True):
            outcome = replace(outcome, settled=settled(tonight, raw))
    return replace(outcome, seconds=time.monotonic() - began)


def clock_from(now: datetime) -> Callable[[], datetime]:
    """Return a clock that shows ``now`` and goes on from there."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


def known_reads(warehouse: Path, vendor: str) -> list[PastRead]:
    """Return the ledger of a vendor, waiting for who is writing it."""
    with in_turn(file_lock(warehouse, vendor), shared=True):
        return past_reads(raw_file(warehouse, vendor))


@contextmanager
def _night_turn(vendor: Vendor, warehouse: Path, progress: Progress) -> Iterator[None]:
    """Have the vendor to oneself for a night, also while a backfill is going on.

    Who holds the turn lock is the next: without it a backfill that asks for its next
    batch at once would always be quicker.
    """

    def patience(holder: str) -> float:
        return A_BATCH if holder.endswith(BACKFILL) else LAST_BREATH

    def told(holder: str) -> None:
        if holder.endswith(BACKFILL):
            said = f"waits until a batch of a backfill is in ({holder})"
            progress(vendor.name, 0, 0, 0, said)

    what = f"loading {vendor.name}"
    with ExitStack() as locks:
        next_one = turn_lock(warehouse, vendor.name)
        with only_one(next_one, what, patience=LAST_BREATH):
            lock = run_lock(warehouse, vendor.name)
            locks.enter_context(only_one(lock, what, patience=patience, told=told))
        yield


def ask(
    vendor: Vendor,
    warehouse: Path,
    agenda: Agenda,
    clock: Callable[[], datetime],
    progress: Progress,
    *,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Outcome:
    """Ask all that is on the agenda, but nothing more of who refused.

    Each batch is asked within a ``turn``.
    """
    outcome = Outcome(
        vendor.name,
        planned=len(agenda.windows),
        pending=len(agenda.waiting),
        notes=agenda.warnings,
    )
    progress(vendor.name, 0, outcome.planned, 0, "; ".join(agenda.warnings))
    left, run = list(agenda.windows), VendorRun()
    while left:
        batch = left[:BATCH_WINDOWS]
        with turn():
            reads = known_reads(warehouse, vendor.name)
            spent = {
                account.alias: spent_today(reads, account.alias, clock())
                for account in vendor.accounts
            }
            tally = load_batch(vendor, warehouse, batch, clock, spent, run=run)
        out_of_reach = lost(left, tally)
        blocked = given_up((a for a in batch if key(a) not in out_of_reach), tally)
        left = [
            asked
            for asked in left[BATCH_WINDOWS:]
            if key(asked) not in out_of_reach and asked[0].alias not in blocked
        ]
        outcome = added(outcome, tally, len(out_of_reach))
        notes = dict.fromkeys([*outcome.notes, *run.warnings])
        outcome = replace(outcome, notes=tuple(notes))
        progress(vendor.name, outcome.windows, outcome.planned, outcome.records, "")
    return outcome


def load_batch(
    vendor: Vendor,
    warehouse: Path,
    asked: list[tuple[Account, Window]],
    clock: Callable[[], datetime],
    spent: Mapping[str, int],
    *,
    run: VendorRun | None = None,
) -> Tally:
    """Read windows and store them, their ledger and their quarantine as one load."""
    os.environ.update(DLT_SETTINGS)
    import dlt  # noqa: PLC0415 - takes its settings when it is imported

    raw = raw_file(warehouse, vendor.name)
    raw.parent.mkdir(parents=True, exist_ok=True)
    work = warehouse / "dlt" / vendor.name
    shutil.rmtree(work, ignore_errors=True)
    tally = Tally()
    sources = []
    for account in vendor.accounts:
        windows = [window for owner, window in asked if owner is account]
        terms = Terms(
            clock,
            keep_going=True,
            requests_today=spent[account.alias],
            run=run,
            held=partial(held, raw),
        )
        built = open_source(
            vendor.name, account.alias, account.settings, windows, terms
        )
        watch(built, vendor.name, raw, tally)
        sources.append(built)
    pipeline = dlt.pipeline(
        vendor.name,
        pipelines_dir=str(work),
        # Without the flag a merge deletes and inserts in two transactions.
        destination=dlt.destinations.duckdb(str(raw), supports_transactions=True),
        dataset_name="raw",
    )
    pipeline.extract(sources, loader_file_format="parquet")
    pipeline.normalize()
    with in_turn(file_lock(warehouse, vendor.name)):
        pipeline.load(raise_on_failed_jobs=True)
    shutil.rmtree(work, ignore_errors=True)
    return tally
