"""How long personal data is kept: of calls, and the text of records in quarantine.

What is removed is left in the bytes of files, as after an erasure; the mark of
unfinished work lets the next build free them. That copies whole files, so calls are
removed by UTC days: at most once a day.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import duckdb

from pipelines.config.model import Config
from pipelines.load.erased_records import old_days, remove_old
from pipelines.load.quarantine import REMOVED
from pipelines.load.suppression import Suppression
from pipelines.load.turns import BATCH_TIMEOUT
from pipelines.sources import vendors
from pipelines.warehouse.journal import LoadResult, write_runs
from pipelines.warehouse.locks import LockedError, in_turn, only_one, tell
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    is_present,
    private,
    refusing,
    writing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import old_calls
from pipelines.warehouse.queries import query
from pipelines.warehouse.raw_files import tables
from pipelines.warehouse.suppression_list import (
    note_removed_before,
    note_unfinished,
    removed_before,
)
from transforms.runner.storage import reading


def apply_retention(config: Config, now: datetime) -> Sequence[LoadResult]:
    """Remove what is older than ``[privacy]`` says, and note it in the journal.

    Return a result for each vendor whose raw file cannot be used, with the error.
    """
    done, failed = [], []
    for vendor in vendors():
        try:
            notes = tuple(_removed(config, vendor, now))
        except (FileError, LockedError) as error:
            sentence = f"what is too old was not removed: {error}"
            failed.append(LoadResult(vendor, errors=(sentence,)))
            continue
        if notes:
            tell(f"{vendor}: {'; '.join(notes)}")
            done.append(LoadResult(vendor, notes=notes))
    if done or failed:
        write_runs(config.warehouse, now, "retention", [*done, *failed])
    return failed


def _removed(config: Config, vendor: str, now: datetime) -> Iterator[str]:
    """Remove what is too old of a vendor, and yield what that was."""
    warehouse, privacy = config.warehouse, config.privacy
    raw, lock = warehouse.raw(vendor), warehouse.raw_lock(vendor)
    if not is_present(raw):
        yield from _removed_from_tables(config, vendor, now)
        return
    if (privacy.quarantine_days, privacy.raw_days) != (None, None):
        migrate(raw, lock)
    if privacy.quarantine_days is not None:
        before = now - timedelta(days=privacy.quarantine_days)
        if count := _forget(warehouse, vendor, before):
            yield f"removed the text of {count:,} records in quarantine"
    if privacy.raw_days is None:
        note_removed_before(warehouse, vendor, None)  # what is read again comes back
    else:
        before = limit_of(privacy.raw_days, now)
        if count := _remove_old(warehouse, vendor, before):
            yield f"removed the personal data of {count:,} calls"


def _removed_from_tables(config: Config, vendor: str, now: datetime) -> Iterator[str]:
    """Let the next build remove what is too old of calls that have no raw file.

    The tables keep these calls as they were, so no record can make a row anew.
    """
    warehouse, days = config.warehouse, config.privacy.raw_days
    if days is None or not is_present(warehouse.tables):
        return
    note_removed_before(warehouse, vendor, None)  # a file that comes back has them
    before = limit_of(days, now)
    if old := old_calls(warehouse.tables, PUBLISHED_FILE, vendor, before):
        note_unfinished(warehouse, vendor)
        yield f"removes the personal data of {len(old):,} calls that have no raw file"


def limit_of(days: float, now: datetime) -> datetime:
    """Return the UTC midnight before which calls are too old, by ``raw_days``."""
    limit = now - timedelta(days=days)
    return limit.replace(hour=0, minute=0, second=0, microsecond=0)


def _forget(warehouse: Warehouse, vendor: str, before: datetime) -> int:
    """Remove the text of old records in quarantine; return of how many records."""
    raw = warehouse.raw(vendor)
    with (
        in_turn(warehouse.raw_lock(vendor), shared=True),
        refusing(raw, RAW_FILE),
        reading(raw) as file,
    ):
        if not _old(file, before):
            return 0
    with _changing(warehouse, vendor) as file:
        old = _old(file, before)
        note_unfinished(warehouse, vendor)
        file.begin()
        file.execute(query("raw/quarantine_forget"))
        file.commit()
    return old


def _remove_old(warehouse: Warehouse, vendor: str, before: datetime) -> int:
    """Remove the personal keys of the calls that became too old since the last time.

    Return of how many records. A later load removes them from all ``before`` that time.
    """
    since, count = removed_before(warehouse, vendor), 0
    if since is not None and since >= before:
        return 0
    # No load may store calls of these days between the removal and the note of it.
    with _changing(warehouse, vendor) as file:
        if days := old_days(file, vendor, before, since):
            note_unfinished(warehouse, vendor, span=(days[0], before))
            count = remove_old(file, Suppression(vendor, before=before), days)
        note_removed_before(warehouse, vendor, before)
    return count


@contextmanager
def _changing(warehouse: Warehouse, vendor: str) -> Iterator[duckdb.DuckDBPyConnection]:
    raw, what = warehouse.raw(vendor), f"loading {vendor}"
    with (
        only_one(warehouse.vendor_lock(vendor), what, timeout=BATCH_TIMEOUT),
        in_turn(warehouse.raw_lock(vendor)),
        private(),
        writing(raw) as file,
        refusing(raw, RAW_FILE),
    ):
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
