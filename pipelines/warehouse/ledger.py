"""What a vendor's raw file holds: windows asked for before, records as last seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.planning.deletion import Missing, Suspicion
from pipelines.planning.pending import PendingDay
from pipelines.planning.planner import PastRead
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Interval, Window
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    RAW_FILE,
    attach,
    attached,
    is_present,
    refusing,
    writing,
)

_T = TypeVar("_T")
MEMORY = (96, 144, 216, 324)
"""MiB that DuckDB may use for a question, one after the other until it is enough."""
_TIME = pa.timestamp("us", tz="UTC")
Keys = npt.NDArray[np.uint64]
"""DuckDB's hashes of (account, record id): eight bytes a record."""


@dataclass(frozen=True)
class Compared:
    """Records just read, beside the newest version that is stored of each."""

    differing: frozenset[int]
    """Positions of those that are new, or other than stored."""
    restored: frozenset[int]
    """Positions of those whose newest stored version says that they are deleted."""
    same: Keys
    """Those that are as stored: nothing of this run shows in the raw file for them."""


@dataclass(frozen=True)
class Lost:
    """A stored record that a run did not see: where its newest version lies."""

    account: str
    missing: Missing
    is_listed_here: bool
    """False: it came from the window of a day beside its own, which was not read."""


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
    """Return the text of ``pipelines/warehouse/queries/<name>.sql``."""
    return (
        files("pipelines.warehouse.queries").joinpath(f"{name}.sql").read_text("utf-8")
    )


def next_load(raw_file: Path) -> int:
    """Take the number of the next load of a raw file: greater than any before.

    A clock can go back, and so can the names that dlt makes of it.
    """
    with writing(raw_file) as file:
        (number,) = file.execute(query("next_load")).fetchall()[0]
        return int(number)


def past_reads(raw_file: Path) -> list[PastRead]:
    """Return the ledger, oldest read first; nothing when there is none yet."""
    with _opened(raw_file) as warehouse:
        if "load_windows" not in _tables(warehouse):
            return []
        with refusing(raw_file, RAW_FILE):
            rows = warehouse.execute(query("past_reads")).fetchall()
    return [PastRead(row[0], row[1], (row[2], row[3]), *row[4:]) for row in rows]


def compared(raw_file: Path, table: str, fresh: pa.Table) -> Compared:
    """Compare records just read with the newest version stored of each.

    An unchanged record is not written again: what is in the raw file is the history
    of each record, and a run's work is what really changed. The newest version counts
    wherever in time it lies, for a record's own time can be corrected.
    """
    nothing = frozenset[int]()
    everything = frozenset(range(fresh.num_rows))
    unseen = np.empty(0, np.uint64)
    if not fresh.num_rows:
        return Compared(nothing, nothing, unseen)
    with _opened(raw_file) as warehouse:
        if table not in _tables(warehouse):
            return Compared(everything, nothing, unseen)
        numbered = fresh.append_column("position", pa.array(range(fresh.num_rows)))
        warehouse.register("fresh", numbered)
        _select(warehouse, table, "from fresh")
        found = _fetched(warehouse, query("changed"), lambda rows: rows.fetchnumpy())
    is_same, was_deleted = found["is_same"], found["was_deleted"]
    return Compared(
        frozenset(found["position"][~is_same].tolist()),
        frozenset(found["position"][was_deleted].tolist()),
        found["key"][is_same],
    )


def missing_of(
    raw_file: Path,
    stream: Stream,
    spans: Iterable[tuple[str, Interval]],
    seen: Keys,
    since: int,
) -> list[Lost]:
    """Return the living records of some windows that a run has not seen.

    ``spans`` are accounts and what was read of each; ``seen`` are the records that
    came as they are stored, and whatever is of load ``since`` or a later one came too.
    """
    accounts, times = zip(*spans, strict=True)
    asked = {
        "account": accounts,
        "start": pa.array([start for start, _ in times], _TIME),
        "end": pa.array([end for _, end in times], _TIME),
    }
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return []
        low, high = min(start for start, _ in times), max(end for _, end in times)
        warehouse.table(f"held.raw.{stream.table}").filter(
            f"event_at >= '{low}' and event_at < '{high}'"
        ).create_view("inside")
        warehouse.register("spans", pa.table(asked))
        warehouse.register("seen", pa.table({"key": seen}))
        warehouse.execute("set variable since = $1", [since])
        _select(warehouse, stream.table, query("unseen"))
        rows = _rows(warehouse, "missing")
    return [Lost(account, Missing(key, at), here) for account, key, at, here in rows]


def suspicions(raw_file: Path) -> list[Suspicion]:
    """Return the records that earlier runs missed, neither proven nor refuted yet."""
    with _opened(raw_file) as warehouse:
        if "absences" not in _tables(warehouse):
            return []
        return [
            Suspicion(*row) for row in warehouse.execute(query("suspicions")).fetchall()
        ]


def seen_again(
    raw_file: Path, table: str, asked: Sequence[Suspicion], seen: Keys, since: int
) -> set[tuple[str, str]]:
    """Return account and id of the suspected records that a run has seen."""
    names = ("account", "record_id")
    suspected = {name: [getattr(one, name) for one in asked] for name in names}
    with _opened(raw_file) as warehouse:
        warehouse.register("suspected", pa.table(suspected))
        warehouse.register("seen", pa.table({"key": seen}))
        warehouse.execute("set variable since = $1", [since])
        _select(warehouse, table, "from suspected")
        return set(_rows(warehouse, "seen_again"))


def days_with_records(
    raw_file: Path, table: str, account: str, until: datetime
) -> list[datetime]:
    """Return the UTC days before ``until`` that have records, the newest first."""
    with _opened(raw_file) as warehouse:
        if table not in _tables(warehouse):
            return []
        stored = warehouse.table(f"held.raw.{table}").filter(f"event_at < '{until}'")
        own = stored.filter(_equals("account", account))
        own.project("account, record_id").create_view("recent")
        _select(warehouse, table, "from recent")
        rows = _rows(warehouse, "days_with_records")
        return [day for (day,) in rows if day < until]


def in_quarantine(raw_file: Path, fresh: pa.Table) -> set[tuple[str, str, str]]:
    """Return account, stream and payload of those just read that are there already."""
    with _opened(raw_file) as warehouse:
        if "quarantine" not in _tables(warehouse):
            return set()
        warehouse.register("fresh", fresh)
        return set(_rows(warehouse, "in_quarantine"))


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
    """Ask of all stored versions of the records just read."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return None
        warehouse.register("fresh", fresh)
        _select(warehouse, stream.table, "select account, record_id from fresh")
        warehouse.register("wanted", asked)
        return _fetched(warehouse, query(name), lambda found: found.to_arrow_table())


def _select(warehouse: duckdb.DuckDBPyConnection, table: str, asked: str) -> None:
    """Make the views ``records`` and ``newest`` of the records that are asked for.

    First only keys are read, of the whole table, for a record may have versions far
    apart in time. Their times then bound the scan that reads payloads.
    """
    warehouse.table(f"held.raw.{table}").create_view("stored")
    warehouse.sql(asked).create_view("wanted_here")
    warehouse.execute(query("asked"))
    low, high = warehouse.execute(query("asked_span")).fetchall()[0]
    bounds = "false" if low is None else f"event_at between '{low}' and '{high}'"
    warehouse.table("stored").filter(bounds).create_view("bounded")
    warehouse.execute(query("records"))
    warehouse.execute(query("newest"))


def held(
    raw_file: Path, stream: Stream, account: str, window: Window
) -> dict[str, datetime]:
    """Return the stored records that a reading of a window should have: times by id."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return {}
        warehouse.table(f"held.raw.{stream.table}").filter(
            f"event_at >= '{window.start}' and event_at < '{window.end}'"
        ).filter(_equals("account", account)).create_view("inside")
        warehouse.execute("set variable low = $1::timestamptz", [window.start])
        warehouse.execute("set variable high = $1::timestamptz", [window.end])
        _select(warehouse, stream.table, "select account, record_id from inside")
        return dict(_rows(warehouse, "held"))


def held_windows(raw_file: Path, stream: Stream) -> list[HeldWindow]:
    """Return what is known and what is held of each window that was read."""
    with _opened(raw_file) as warehouse:
        if not {stream.table, "load_windows"} <= _tables(warehouse):
            return []
        warehouse.table(f"held.raw.{stream.table}").create_view("records")
        warehouse.execute(query("newest"))
        warehouse.sql(query("latest")).create_view("latest")
        windows = warehouse.table("held.raw.load_windows")
        windows.filter(_equals("stream", stream.name)).create_view("windows")
        found = _rows(warehouse, "held_windows")
        return [HeldWindow(stream, *row) for row in found]


def unbuilt(
    raw_file: Path, published: Path, vendor: str, stream: Stream
) -> list[tuple[str, datetime, int]]:
    """Return (account, day, calls) of the calls held that ``fact_calls`` lacks."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return []
        warehouse.table(f"held.raw.{stream.table}").create_view("records")
        warehouse.execute(query("newest"))
        warehouse.sql(query("latest")).create_view("latest")
        warehouse.sql(stream.calls).create_view("calls")
        with attached(warehouse, published, "published", PUBLISHED_FILE):
            facts = warehouse.table("published.main.fact_calls")
            facts.filter(_equals("vendor", vendor)).create_view("facts")
            return _rows(warehouse, "unbuilt")


def pending(raw_file: Path, stream: Stream, span: Interval) -> list[PendingDay]:
    """Return the days of a span in which records are pending, as last seen."""
    with _opened(raw_file) as warehouse:
        if stream.table not in _tables(warehouse):
            return []
        bounds = f"event_at >= '{span[0]}' and event_at < '{span[1]}'"
        stored = warehouse.table(f"held.raw.{stream.table}")
        stored.filter(bounds).create_view("inside")
        _select(warehouse, stream.table, "select account, record_id from inside")
        warehouse.sql(query("latest")).filter(bounds).create_view("latest")
        # Apart from the next question, so that only one of them holds payloads.
        found = _fetched(warehouse, stream.pending, lambda rows: rows.to_arrow_table())
        warehouse.register("pending", found)
        rows = _rows(warehouse, "pending_days")
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
    config: Any = {
        "temp_directory": f"{raw_file}.tmp",
        "threads": 1,  # each would hold payloads of its own
        # Payloads pass by on the left of each join; what is on the right is held.
        "disabled_optimizers": "build_side_probe_side",
    }
    with duckdb.connect(config=config) as connection:
        connection.execute("set TimeZone = 'UTC'")
        if is_present(raw_file):
            attach(connection, raw_file, "held", RAW_FILE)
            if _tables(connection):  # a first load may have been killed before any
                connection.execute("set search_path = 'memory.main,held.raw'")
        yield connection


def _rows(warehouse: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    """Return all rows of a query."""
    return _fetched(warehouse, query(name), lambda found: found.fetchall())


def _fetched(
    warehouse: duckdb.DuckDBPyConnection,
    sql: str,
    fetch: Callable[[duckdb.DuckDBPyConnection], _T],
) -> _T:
    """Return what a query finds, with as much memory as its records need.

    DuckDB works on 2,048 of them at once and caches what it has read: without a limit
    it would take what there is, and with one it fails where records are very large.
    """
    ((most,),) = warehouse.execute("select current_setting('memory_limit')").fetchall()
    try:
        for limit in MEMORY:
            warehouse.execute(f"set memory_limit = '{limit}MiB'")
            with suppress(duckdb.OutOfMemoryException):
                return fetch(warehouse.execute(sql))
    finally:
        warehouse.execute(f"set memory_limit = '{most}'")
    return fetch(warehouse.execute(sql))


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'raw'"
    ).fetchall()
    return {name for (name,) in rows}
