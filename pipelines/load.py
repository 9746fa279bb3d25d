"""One vendor's night: plan, read, land, in batches that a kill cannot tear.

Runs in a process of its own. The raw file is the only state: dlt's working folder
is emptied first (a killed dlt can leave it unusable for good), pending packages are
never resumed, and what is done is what the ledger in the raw file says.
"""

import inspect
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from pipelines.agenda import agenda, settled
from pipelines.config import Account, Config, Vendor
from pipelines.ledger import past_reads
from pipelines.locks import in_turn, only_one
from pipelines.news import Tally, watch
from pipelines.plan import PastRead, history_start
from pipelines.quota import spent_today
from pipelines.sources import source_of
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


@dataclass(frozen=True)
class Outcome:
    """What became of one vendor tonight."""

    vendor: str
    windows: int = 0
    """Windows read to their end."""
    planned: int = 0
    records: int = 0
    """Distinct records in those windows."""
    changed: int = 0
    """Of them new or different from what was held."""
    quarantined: int = 0
    pending: int = 0
    """Calls asked for because their end or price was still to come."""
    settled: int = 0
    """Of them those that wait for nothing any more."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What an operator should know, and need not act upon tonight."""

    @property
    def is_complete(self) -> bool:
        """Tell whether all that was planned is in."""
        return not self.errors and self.windows == self.planned


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
        todo = tonight.windows
        outcome = Outcome(
            vendor.name,
            planned=len(todo),
            pending=len(tonight.waiting),
            notes=tonight.warnings,
        )
        blocked: set[str] = set()
        progress(vendor.name, 0, len(todo), 0, "; ".join(tonight.warnings))
        for batch in _batches(todo):
            asked = [item for item in batch if item[0].alias not in blocked]
            if not asked:
                continue
            spent = {
                account.alias: spent_today(reads, account.alias, clock())
                for account in vendor.accounts
            }
            tally = _load_batch(vendor, warehouse, asked, clock, spent)
            reads += _reads(tally)
            outcome = _added(outcome, tally)
            blocked |= _given_up(asked, tally)
            progress(vendor.name, outcome.windows, len(todo), outcome.records, "")
        with in_turn(file_lock(warehouse, vendor.name), shared=True):
            outcome = replace(outcome, settled=settled(tonight, raw))
    return replace(outcome, seconds=time.monotonic() - began)


def _batches(
    todo: Iterable[tuple[Account, Window]],
) -> Iterator[list[tuple[Account, Window]]]:
    left = iter(todo)
    while batch := list(islice(left, BATCH_WINDOWS)):
        yield batch


def _load_batch(
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
    source = source_of(vendor.name)
    sources = []
    for account in vendor.accounts:
        windows = [window for owner, window in asked if owner is account]
        built = source(
            **{
                **_defaults(source),
                **account.settings,
                "windows": windows,
                "account": account.alias,
                "clock": clock,
                "keep_going": True,
                "requests_today": spent[account.alias],
            }
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


def _defaults(source: Callable[..., Any]) -> dict[str, Any]:
    """Return what a source's parameters are when nobody sets them.

    Told to the source all the same: dlt looks for a parameter that is not told in
    its own configuration, and there ``path`` is the environment's PATH.
    """
    parameters = inspect.signature(source).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not inspect.Parameter.empty
    }


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


def _added(outcome: Outcome, tally: Tally) -> Outcome:
    rows = tally.ledger
    errors = tuple(dict.fromkeys(row["error"] for row in rows if row["error"]))
    return replace(
        outcome,
        windows=outcome.windows + sum(row["state"] == "complete" for row in rows),
        records=outcome.records + sum(row["rows_distinct"] for row in rows),
        changed=outcome.changed + tally.changed,
        quarantined=outcome.quarantined + sum(row["rows_quarantined"] for row in rows),
        requests=outcome.requests + sum(row["requests"] for row in rows),
        retries=outcome.retries + sum(row["retries"] for row in rows),
        errors=tuple(dict.fromkeys([*outcome.errors, *errors])),
    )


def _given_up(asked: list[tuple[Account, Window]], tally: Tally) -> set[str]:
    """Return the accounts whose source stopped before its last window."""
    answered = {
        (row["account"], row["stream"], row["window_start"]) for row in tally.ledger
    }
    return {
        account.alias
        for account, window in asked
        if (account.alias, window.stream, window.start.astimezone(UTC)) not in answered
    }
