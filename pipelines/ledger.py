"""What a vendor's raw file holds: windows asked for before, records as last seen."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.plan import PastRead
from pipelines.settle import PendingDay
from pipelines.stream import Stream
from pipelines.windows import Interval, Window


@dataclass(frozen=True)
class HeldWindow:
    """A window at its last complete reading, and what is held of it now."""

    stream: Stream
    account: str
    start: datetime
    end: datetime
    read_at: datetime
    rows_inside: int
    """Records that came and lie inside the window."""
    vendor_total: int | None
    rows_held: int


def query(name: str) -> str:
    """Return the text of ``pipelines/queries/<name>.sql``."""
    return files("pipelines.queries").joinpath(f"{name}.sql").read_text("utf-8")


def past_reads(raw_file: Path) -> list[PastRead]:
    """Return the ledger, oldest read first; nothing when there is none yet."""
    with _opened(raw_file) as warehouse:
        if "load_windows" not in _tables(warehouse):
            return []
        rows = warehouse.execute(query("past_reads")).fetchall()
    return [PastRead(row[0], row[1], (row[2], row[3]), *row[4:]) for row in rows]


def changed(raw_file: Path, table: str, fresh: pa.Table, *, by_time: bool) -> set[int]:
    """Return the positions of records that are new or differ from the version held.

    An unchanged record is not written again: what is in the raw file is the history
    of each record, and a night's work is what really changed. ``by_time`` says that
    a record's event time is its own, so that only its part of the file is read.
    """
    if not fresh.num_rows:
        return set()
    with _opened(raw_file) as warehouse:
        if table not in _tables(warehouse):
            return set(range(fresh.num_rows))
        stored = warehouse.table(f"held.raw.{table}")
        if by_time:
            stored = _within(warehouse, table, fresh)
        stored.create_view("records")
        numbered = fresh.append_column("position", pa.array(range(fresh.num_rows)))
        warehouse.register("fresh", numbered)
        rows = warehouse.execute(query("changed")).fetchall()
    return {position for (position,) in rows}


def in_quarantine(raw_file: Path, fresh: pa.Table) -> set[tuple[str, str, str]]:
    """Return account, stream and payload of those just read that are there already."""
    with _opened(raw_file) as warehouse:
        if "quarantine" not in _tables(warehouse):
            return set()
        warehouse.register("fresh", fresh)
        return set(warehouse.execute(query("in_quarantine")).fetchall())


def held_marked(
    raw_file: Path, stream: Stream, fresh: pa.Table
) -> set[tuple[str, str]]:
    """Return account and id of the records just read that were erased before."""
    mark = pa.array([stream.erased_mark] * fresh.num_rows, pa.string())
    asked = fresh.select(["account", "record_id"]).append_column("mark", mark)
    found = _of_fresh(raw_file, stream, fresh, asked, "held_marked")
    return set() if found is None else {*zip(*found.to_pydict().values(), strict=True)}


def held_versions(
    raw_file: Path, stream: Stream, fresh: pa.Table, asked: Iterable[tuple[str, str]]
) -> pa.Table | None:
    """Return every version held of some of the records just read."""
    accounts, ids = zip(*asked, strict=True)
    table = pa.table({"account": accounts, "record_id": ids})
    return _of_fresh(raw_file, stream, fresh, table, "held_versions")


def _of_fresh(
    raw_file: Path, stream: Stream, fresh: pa.Table, asked: pa.Table, name: str
) -> pa.Table | None:
    """Ask of the part of a raw file in which the records just read lie."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return None
        _within(warehouse, stream.table, fresh).create_view("records")
        warehouse.register("asked", asked)
        return warehouse.execute(query(name)).to_arrow_table()


def _within(
    warehouse: duckdb.DuckDBPyConnection, table: str, fresh: pa.Table
) -> duckdb.DuckDBPyRelation:
    span: Any = pc.min_max(fresh["event_at"]).as_py()
    return warehouse.table(f"held.raw.{table}").filter(
        f"event_at between '{span['min']}' and '{span['max']}'"
    )


def held(
    raw_file: Path, stream: Stream, account: str, window: Window
) -> dict[str, datetime]:
    """Return the records held of a window that a reading must have: times by id."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return {}
        stored = warehouse.table(f"held.raw.{stream.table}")
        stored = stored.filter(
            f"event_at >= '{window.start}' and event_at < '{window.end}'"
        ).filter(_equals("account", account))
        stored.create_view("records")
        return dict(warehouse.execute(query("held")).fetchall())


def held_windows(raw_file: Path, stream: Stream) -> list[HeldWindow]:
    """Return what is known and what is held of each window that was read."""
    with _opened(raw_file) as warehouse:
        if not {stream.table, "load_windows"} <= _tables(warehouse):
            return []
        warehouse.table(f"held.raw.{stream.table}").create_view("records")
        warehouse.sql(query("latest")).create_view("latest")
        windows = warehouse.table("held.raw.load_windows")
        windows.filter(_equals("stream", stream.name)).create_view("windows")
        found = warehouse.execute(query("held_windows"))
        return [HeldWindow(stream, *row) for row in found.fetchall()]


def unbuilt(
    raw_file: Path, published: Path, vendor: str, stream: Stream
) -> list[tuple[str, datetime, int]]:
    """Return (account, day, calls) of the calls held that ``fact_calls`` lacks."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return []
        warehouse.execute(f"attach '{published}' as published (read_only)")
        warehouse.table(f"held.raw.{stream.table}").create_view("records")
        for view, name in (("latest", "latest"), ("calls", stream.calls)):
            warehouse.sql(query(name)).create_view(view)
        facts = warehouse.table("published.main.fact_calls")
        facts.filter(_equals("vendor", vendor)).create_view("facts")
        return warehouse.execute(query("unbuilt")).fetchall()


def pending(raw_file: Path, stream: Stream, span: Interval) -> list[PendingDay]:
    """Return the days of a span in which records are pending, as last seen."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return []
        bounds = f"event_at >= '{span[0]}' and event_at < '{span[1]}'"
        stored = warehouse.table(f"held.raw.{stream.table}")
        stored.filter(bounds).create_view("records")
        for view, name in (("latest", "latest"), ("pending", stream.pending)):
            warehouse.sql(query(name)).create_view(view)
        rows = warehouse.execute(query("pending_days")).fetchall()
    return [
        PendingDay(account, start, records, tuple(ids))
        for account, start, records, ids in rows
    ]


def versions(
    raw_file: Path, table: str, account: str, record_id: str
) -> list[dict[str, Any]]:
    """Return every version held of a record, oldest first; `versions.sql` names all."""
    with _opened(raw_file) as warehouse:
        if table not in _tables(warehouse):
            return []
        stored = warehouse.table(f"held.raw.{table}")
        own = stored.filter(_equals("account", account))
        own.filter(_equals("record_id", record_id)).create_view("records")
        found = warehouse.execute(query("versions"))
        names = [name for name, *_ in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _equals(column: str, value: str) -> duckdb.Expression:
    return duckdb.ColumnExpression(column) == duckdb.ConstantExpression(value)


@contextmanager
def _opened(raw_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a raw file to read; an empty database when there is none yet."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        if raw_file.exists():
            connection.execute(f"attach '{raw_file}' as held (read_only)")
            if _tables(connection):  # a first load may have been killed before any
                connection.execute("set search_path = 'memory.main,held.raw'")
        yield connection


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'raw'"
    ).fetchall()
    return {name for (name,) in rows}
