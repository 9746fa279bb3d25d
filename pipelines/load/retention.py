"""How long personal data is kept: the text of records in quarantine.

A value that is replaced stays in the free blocks of its file, so a raw file in which
something was removed is replaced by a copy. The build file is replaced after the next
build, which no longer has the text; until then a mark in the warehouse says so.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from pipelines.config.model import Config
from pipelines.load.quarantine import REMOVED
from pipelines.sources import vendors
from pipelines.warehouse.journal import LoadResult, write_runs
from pipelines.warehouse.locks import LockedError, in_turn, tell
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import (
    BUILD_FILE,
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
from pipelines.warehouse.rewriting import replace_by_copy


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


def finish_retention(warehouse: Warehouse) -> None:
    """Replace the build file, after a build, by a copy without what was removed.

    The caller has the lock of the build.
    """
    if _mark(warehouse).exists():
        replace_by_copy(warehouse.build, BUILD_FILE)


def note_finished(warehouse: Warehouse) -> None:
    """Note that the published file is one without what was removed."""
    _mark(warehouse).unlink(missing_ok=True)


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
    with in_turn(lock), private():
        mark = _mark(warehouse)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        with writing(raw) as file, refusing(raw, RAW_FILE):
            old = _old(file, before)
            file.begin()
            file.execute(query("raw/quarantine_forget"))
            file.commit()
        replace_by_copy(raw, RAW_FILE, is_raw=True)
    return old


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


def _mark(warehouse: Warehouse) -> Path:
    return warehouse.privacy / "retention.pending"
