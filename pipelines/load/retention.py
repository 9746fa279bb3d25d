"""How long personal data is kept: the text of records in quarantine.

What is removed here is left in the bytes of files, as after an erasure; the mark of
unfinished work lets the next build free them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import duckdb

from pipelines.config.model import Config
from pipelines.load.loader import BATCH_TIMEOUT
from pipelines.load.quarantine import REMOVED
from pipelines.sources import vendors
from pipelines.warehouse.journal import LoadResult, write_runs
from pipelines.warehouse.locks import LockedError, in_turn, only_one, tell
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import (
    RAW_FILE,
    FileError,
    is_present,
    private,
    refusing,
    writing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.queries import query
from pipelines.warehouse.raw_files import tables
from pipelines.warehouse.suppression_list import note_unfinished


def apply_retention(config: Config, now: datetime) -> Sequence[LoadResult]:
    """Remove what is older than ``[privacy]`` says, and note it in the journal.

    Return a result for each vendor whose raw file cannot be used, with the error.
    """
    if config.privacy.quarantine_days is None:
        return ()
    before = now - timedelta(days=config.privacy.quarantine_days)
    done, failed = [], []
    for vendor in vendors():
        try:
            removed = _forget(config.warehouse, vendor, before)
        except (FileError, LockedError) as error:
            sentence = f"what is too old in quarantine was not removed: {error}"
            failed.append(LoadResult(vendor, errors=(sentence,)))
            continue
        if removed:
            note = f"removed the text of {removed:,} records in quarantine"
            tell(f"{vendor}: {note}")
            done.append(LoadResult(vendor, notes=(note,)))
    if done or failed:
        write_runs(config.warehouse, now, "retention", [*done, *failed])
    return failed


def _forget(warehouse: Warehouse, vendor: str, before: datetime) -> int:
    """Remove the text of old records in quarantine; return of how many records."""
    raw, lock = warehouse.raw(vendor), warehouse.raw_lock(vendor)
    if not is_present(raw):
        return 0
    migrate(raw, lock)
    with (
        in_turn(lock, shared=True),
        refusing(raw, RAW_FILE),
        duckdb.connect(str(raw), read_only=True) as file,
    ):
        if not _old(file, before):
            return 0
    with _changing(warehouse, vendor) as file:
        old = _old(file, before)
        file.begin()
        file.execute(query("raw/quarantine_forget"))
        file.commit()
    return old


@contextmanager
def _changing(warehouse: Warehouse, vendor: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a raw file for removing something, which is noted as unfinished before."""
    raw, what = warehouse.raw(vendor), f"loading {vendor}"
    with (
        only_one(warehouse.vendor_lock(vendor), what, timeout=BATCH_TIMEOUT),
        in_turn(warehouse.raw_lock(vendor)),
        private(),
        writing(raw) as file,
        refusing(raw, RAW_FILE),
    ):
        note_unfinished(warehouse, vendor)
        yield file


def _old(file: duckdb.DuckDBPyConnection, before: datetime) -> int:
    """Put the records to forget into the table ``old``; return how many there are."""
    if "quarantine" not in tables(file):
        return 0
    file.execute("set TimeZone = 'UTC'")
    file.execute("set variable before = $1", [before])
    file.execute("set variable removed = $1", [REMOVED])
    rows = file.sql(query("raw/quarantine_old")).to_arrow_table()
    file.register("old", rows)
    return int(rows.num_rows)
