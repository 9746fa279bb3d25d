"""Read the ledger of a raw file: which windows were read, and whether completely."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.planning.deletion import Suspicion
from pipelines.planning.planner import PastRead
from pipelines.planning.stream import Stream
from pipelines.warehouse import raw_files
from pipelines.warehouse.opening import RAW_FILE, refusing
from pipelines.warehouse.queries import query
from transforms.runner.storage import Place


@dataclass(frozen=True)
class ReadWindow:
    """A window at its last complete read."""

    stream: Stream
    account: str
    start: datetime
    end: datetime
    read_at: datetime
    rows_inside: int
    """Records that came and lie inside the window."""
    vendor_total: int | None


@dataclass(frozen=True)
class StoredWindow(ReadWindow):
    """A window at its last complete read, and how many of its records are stored."""

    rows_stored: int


def next_load(raw_file: Place) -> int:
    """Return a new number for the next load of a raw file, greater than all before.

    The ids of dlt's loads are times of a clock, which can go back.
    """
    if not isinstance(raw_file, Path):
        return raw_file.next_load()
    with raw_files.opened(raw_file, is_to_write=True) as file:
        ((number,),) = file.execute(query("raw/next_load")).fetchall()
        return int(number)


def load_ids(raw_file: Place) -> set[str]:
    """Return the ids of all complete loads of a raw file."""
    with raw_files.opened(raw_file) as warehouse:
        if "_dlt_loads" not in raw_files.tables(warehouse):
            return set()
        return {load for (load,) in raw_files.rows(warehouse, "load_ids")}


def past_reads(raw_file: Place) -> list[PastRead]:
    """Return the rows of the ledger, the oldest read first; empty if there is none."""
    with raw_files.opened(raw_file) as warehouse:
        if "load_windows" not in raw_files.tables(warehouse):
            return []
        with refusing(raw_file, RAW_FILE):
            rows = warehouse.execute(query("raw/past_reads")).fetchall()
    return [PastRead(row[0], row[1], (row[2], row[3]), *row[4:]) for row in rows]


def last_reads(raw_file: Place, stream: Stream) -> list[ReadWindow]:
    """Return each completely read window of a stream."""
    with raw_files.opened(raw_file) as warehouse:
        if "load_windows" not in raw_files.tables(warehouse):
            return []
        _select_reads(warehouse, stream)
        found = warehouse.execute("from window_reads order by all").fetchall()
        return [ReadWindow(stream, *row) for row in found]


def stored_windows(raw_file: Place, stream: Stream) -> list[StoredWindow]:
    """Return each completely read window of a stream, with what is stored of it.

    This reads the whole table.
    """
    with raw_files.opened(raw_file) as warehouse:
        if not {stream.table, "load_windows"} <= raw_files.tables(warehouse):
            return []
        warehouse.table(f"raw_file.raw.{stream.table}").create_view("records")
        warehouse.execute(query("raw/newest"))
        warehouse.sql(query("raw/latest")).create_view("latest")
        _select_reads(warehouse, stream)
        found = raw_files.rows(warehouse, "stored_windows")
        return [StoredWindow(stream, *row) for row in found]


def _select_reads(warehouse: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    """Make the view ``window_reads`` of `queries/raw/last_reads.sql`."""
    windows = warehouse.table("raw_file.raw.load_windows")
    windows.filter(raw_files.equals("stream", stream.name)).create_view("windows")
    warehouse.sql(query("raw/last_reads")).create_view("window_reads")


def unbalanced(raw_file: Place) -> list[tuple[str, str, datetime, int, int]]:
    """Return by account and stream what `queries/raw/unbalanced.sql` finds."""
    with raw_files.opened(raw_file) as warehouse:
        if "load_windows" not in raw_files.tables(warehouse):
            return []
        return raw_files.rows(warehouse, "unbalanced")


def suspicions(raw_file: Place) -> list[Suspicion]:
    """Return the records that were missing in earlier runs and are not decided yet."""
    with raw_files.opened(raw_file) as warehouse:
        if "absences" not in raw_files.tables(warehouse):
            return []
        return [
            Suspicion(*row)
            for row in warehouse.execute(query("raw/suspicions")).fetchall()
        ]
