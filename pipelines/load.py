"""One vendor's night: plan, read, land, in batches that a kill cannot tear.

Runs in a process of its own. The raw file is the only state: dlt's working folder
is emptied first (a killed dlt can leave it unusable for good), pending packages are
never resumed, and what is done is what the ledger in the raw file says.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from pipelines.agenda import Agenda, agenda, settled
from pipelines.config import Account, Config, Vendor
from pipelines.ledger import held, past_reads
from pipelines.locks import in_turn, only_one
from pipelines.news import Tally, watch
from pipelines.outcome import (
    Outcome,
    Refused,
    added,
    given_up,
    refusals,
    within_reach,
)
from pipelines.plan import PastRead, history_start
from pipelines.quota import spent_today
from pipelines.reading import Terms
from pipelines.sources import open_source
from pipelines.windows import Window

BATCH_WINDOWS = 16
"""Windows of one load package: what a kill can cost, against a second a package."""

LAST_BREATH = 20.0
"""Seconds that the children of a killed run may take to notice and die."""

DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    "RESTORE_FROM_DESTINATION": "false",
}

Progress = Callable[[str, int, int, int, str], None]
"""Told (vendor, windows done, windows planned, records so far, a note or "")."""


def raw_file(warehouse: Path, vendor: str) -> Path:
    """Return the path of a vendor's own file."""
    return warehouse / "raw" / f"{vendor}.duckdb"


def file_lock(warehouse: Path, vendor: str) -> Path:
    """Return the lock that its writer and its readers take in turn."""
    return warehouse / "locks" / f"{vendor}.file.lock"


def load(vendor: Vendor, config: Config, now: datetime, progress: Progress) -> Outcome:
    """Load all that one vendor's plan asks for.

    Raises `pipelines.locks.LockedError` when the vendor is being loaded already, and
    `pipelines.plan.ClockError`; what the vendor does wrong is in the outcome.
    """
    began = time.monotonic()
    warehouse = config.warehouse

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    lock = warehouse / "locks" / f"{vendor.name}.run.lock"
    with only_one(lock, f"loading {vendor.name}", patience=LAST_BREATH):
        raw = raw_file(warehouse, vendor.name)
        with in_turn(file_lock(warehouse, vendor.name), shared=True):
            reads = past_reads(raw)
            since = history_start(config.start, config.history_days, now, reads)
            tonight = agenda(vendor, raw, since, now, reads)
        outcome = _ask(vendor, warehouse, tonight, clock, progress)
        with in_turn(file_lock(warehouse, vendor.name), shared=True):
            outcome = replace(outcome, settled=settled(tonight, raw))
    return replace(outcome, seconds=time.monotonic() - began)


def _ask(
    vendor: Vendor,
    warehouse: Path,
    tonight: Agenda,
    clock: Callable[[], datetime],
    progress: Progress,
) -> Outcome:
    """Ask all that is on the agenda, but nothing more of who refused."""
    outcome = Outcome(
        vendor.name,
        planned=len(tonight.windows),
        pending=len(tonight.waiting),
        notes=tonight.warnings,
    )
    progress(vendor.name, 0, outcome.planned, 0, "; ".join(tonight.warnings))
    reads, refused = list(tonight.reads), Refused()
    blocked: set[str] = set()
    for batch in _batches(tonight.windows):
        asked = [
            one for one in within_reach(batch, refused) if one[0].alias not in blocked
        ]
        if not asked:
            continue
        spent = {
            account.alias: spent_today(reads, account.alias, clock())
            for account in vendor.accounts
        }
        tally = load_batch(vendor, warehouse, asked, clock, spent)
        reads += _reads(tally)
        refused |= refusals(tally)
        blocked |= given_up(within_reach(asked, refused), tally)
        outcome = added(outcome, tally, len(within_reach(tonight.windows, refused)))
        progress(vendor.name, outcome.windows, outcome.planned, outcome.records, "")
    return outcome


def _batches(
    todo: Iterable[tuple[Account, Window]],
) -> Iterator[list[tuple[Account, Window]]]:
    left = iter(todo)
    while batch := list(islice(left, BATCH_WINDOWS)):
        yield batch


def load_batch(
    vendor: Vendor,
    warehouse: Path,
    asked: list[tuple[Account, Window]],
    clock: Callable[[], datetime],
    spent: Mapping[str, int],
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


def _reads(tally: Tally) -> list[PastRead]:
    return [
        PastRead(
            row["account"],
            row["stream"],
            (row["window_start"], row["window_end"]),
            row["purpose"],
            row["state"],
            row["started_at"],
            row["requests"],
        )
        for row in tally.ledger
    ]
