"""Look up the stored records of a vendor: versions, the newest, missing and pending."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.planning.deletion import Missing, Suspicion
from pipelines.planning.pending import PendingDay
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Interval, Window
from pipelines.warehouse import raw_files
from pipelines.warehouse.opening import PUBLISHED_FILE, attached
from pipelines.warehouse.queries import query
from transforms.runner.storage import Place

_IDS = "select account, record_id"
_TIME = pa.timestamp("us", tz="UTC")
Keys = npt.NDArray[np.uint64]
"""DuckDB's hashes of (account, record id), eight bytes per record."""


Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """The records just read, one after another, beside the newest stored versions."""

    key: Keys
    """The hash of account and record id."""
    version: Keys
    """The hash of the payload."""
    is_new: Flags
    """No version of the record is stored."""
    is_same: Flags
    """It is equal to the newest stored version, and is not stored again."""
    was_deleted: Flags
    """The newest stored version marks it as deleted."""


@dataclass(frozen=True)
class MissingRecord:
    """A stored record that a run has read the window of, and that did not come."""

    account: str
    missing: Missing
    is_listed_here: bool
    """False: it came before from the window of another day, which was not read."""


def compared(raw_file: Place, table: str, fresh: pa.Table) -> Compared:
    """Compare the records just read with the newest stored version of each.

    A record that is equal is not stored again, so the raw file has the history of each
    record. All of the table is searched, because the time of a record may have been
    corrected.
    """
    with raw_files.opened(raw_file) as warehouse:
        numbered = fresh.append_column("position", pa.array(range(fresh.num_rows)))
        warehouse.register("fresh", numbered)
        is_known = table in raw_files.tables(warehouse) and _select(
            warehouse, table, "from fresh"
        )
        name = "changed" if is_known else "all_new"
        found = raw_files.fetched(
            warehouse, query(f"raw/{name}"), lambda rows: rows.fetchnumpy()
        )
    return Compared(**{one.name: found[one.name] for one in fields(Compared)})


def missing_of(
    raw_file: Place,
    stream: Stream,
    spans: Iterable[tuple[str, Interval]],
    seen: Keys,
    since: int,
) -> list[MissingRecord]:
    """Return the stored records of some windows, not marked deleted, that did not come.

    ``spans`` are accounts and the intervals that were read of each. ``seen`` are the
    records that came unchanged; those of load ``since`` and later loads came as well.
    """
    accounts, times = zip(*spans, strict=True)
    wanted = {
        "account": accounts,
        "start": pa.array([start for start, _ in times], _TIME),
        "end": pa.array([end for _, end in times], _TIME),
    }
    with raw_files.opened(raw_file) as warehouse:
        if stream.table not in raw_files.tables(warehouse):
            return []
        low, high = min(start for start, _ in times), max(end for _, end in times)
        warehouse.table(f"raw_file.raw.{stream.table}").filter(
            f"event_at >= '{low}' and event_at < '{high}'"
        ).create_view("inside")
        warehouse.register("spans", pa.table(wanted))
        warehouse.register("seen", pa.table({"key": seen}))
        warehouse.execute("set variable since = $1", [since])
        if not _select(warehouse, stream.table, query("raw/unseen")):
            return []
        rows = raw_files.rows(warehouse, "missing")
    return [
        MissingRecord(account, Missing(key, at), here)
        for account, key, at, here in rows
    ]


def seen_again(
    raw_file: Place, table: str, wanted: Sequence[Suspicion], seen: Keys, since: int
) -> set[tuple[str, str]]:
    """Return account and id of the suspected records that came in a run.

    ``seen`` and ``since`` are those of `missing_of`.
    """
    names = ("account", "record_id")
    suspected = {name: [getattr(one, name) for one in wanted] for name in names}
    with raw_files.opened(raw_file) as warehouse:
        warehouse.register("suspected", pa.table(suspected))
        warehouse.register("seen", pa.table({"key": seen}))
        warehouse.execute("set variable since = $1", [since])
        if not _select(warehouse, table, "from suspected"):
            return set()
        return set(raw_files.rows(warehouse, "seen_again"))


def days_with_records(
    raw_file: Place, table: str, account: str, until: datetime
) -> list[datetime]:
    """Return the UTC days before ``until`` that have records, the newest first."""
    with raw_files.opened(raw_file) as warehouse:
        if table not in raw_files.tables(warehouse):
            return []
        stored = warehouse.table(f"raw_file.raw.{table}").filter(
            f"event_at < '{until}'"
        )
        own = stored.filter(raw_files.equals("account", account))
        own.project("account, record_id").create_view("recent")
        if not _select(warehouse, table, "from recent"):
            return []
        rows = raw_files.rows(warehouse, "days_with_records")
        return [day for (day,) in rows if day < until]


def in_quarantine(raw_file: Place, fresh: pa.Table) -> set[tuple[str, str, str]]:
    """Return account, stream and payload of the records that are in quarantine already.

    ``fresh`` are the unreadable records just read.
    """
    with raw_files.opened(raw_file) as warehouse:
        if "quarantine" not in raw_files.tables(warehouse):
            return set()
        warehouse.register("fresh", fresh)
        return set(raw_files.rows(warehouse, "in_quarantine"))


def stored_marks(
    raw_file: Place, table: str, mark: str, fresh: pa.Table
) -> dict[tuple[str, str], bool]:
    """Return account and id of the records just read that a table has versions of.

    The value is True if a version was erased: if its key ``mark`` is true.
    """
    marks = pa.array([mark] * fresh.num_rows, pa.string())
    wanted = fresh.select(["account", "record_id"]).append_column("mark", marks)
    found = _of_fresh(raw_file, table, fresh, wanted, "stored_marks")
    if found is None:
        return {}
    return {
        (row["account"], row["record_id"]): row["marked"] for row in found.to_pylist()
    }


def stored_versions(
    raw_file: Place, table: str, fresh: pa.Table, wanted: Iterable[tuple[str, str]]
) -> pa.Table | None:
    """Return every stored version of some of the records just read."""
    accounts, ids = zip(*wanted, strict=True)
    those = pa.table({"account": accounts, "record_id": ids})
    return _of_fresh(raw_file, table, fresh, those, "stored_versions")


def _of_fresh(
    raw_file: Place, table: str, fresh: pa.Table, wanted: pa.Table, name: str
) -> pa.Table | None:
    """Run the query ``name`` over all stored versions of the records just read."""
    with raw_files.opened(raw_file) as warehouse:
        if table not in raw_files.tables(warehouse):
            return None
        warehouse.register("fresh", fresh)
        if not _select(warehouse, table, f"{_IDS} from fresh"):
            return None
        warehouse.register("wanted", wanted)
        found: pa.Table = raw_files.fetched(
            warehouse, query(f"raw/{name}"), lambda rows: rows.to_arrow_table()
        )
        return found


def _select(warehouse: duckdb.DuckDBPyConnection, table: str, wanted: str) -> bool:
    """Make the views ``records`` and ``newest``: the versions of the wanted records.

    Return False, and make neither, if none of them is stored.

    First only keys are read, of the whole table, because a record may have versions far
    apart in time. Their times then bound the scan that reads payloads.
    """
    warehouse.table(f"raw_file.raw.{table}").create_view("stored")
    warehouse.sql(wanted).create_view("wanted_here")
    warehouse.execute(query("raw/wanted"))
    low, high = warehouse.execute(query("raw/wanted_span")).fetchall()[0]
    if low is None:
        return False
    bounds = f"event_at between '{low}' and '{high}'"
    warehouse.table("stored").filter(bounds).create_view("bounded")
    warehouse.execute(query("raw/records"))
    warehouse.execute(query("raw/newest"))
    return True


def stored_records(
    raw_file: Place, stream: Stream, account: str, window: Window
) -> dict[str, datetime]:
    """Return event times, by id, of the stored records that a window should list."""
    span = window.start, window.end
    return dict(_of_span(raw_file, stream.table, account, span, "stored_records"))


def count_stored(raw_file: Place, table: str, account: str, span: Interval) -> int:
    """Return how many living records have a newest version that lies in a span."""
    found = _of_span(raw_file, table, account, span, "count_stored")
    return sum(count for (count,) in found)


def _of_span(
    raw_file: Place, table: str, account: str, span: Interval, name: str
) -> list[Any]:
    """Run the query ``name`` over the records that have a version in a span."""
    with raw_files.opened(raw_file) as warehouse:
        if table not in raw_files.tables(warehouse):
            return []
        warehouse.table(f"raw_file.raw.{table}").filter(
            f"event_at >= '{span[0]}' and event_at < '{span[1]}'"
        ).filter(raw_files.equals("account", account)).create_view("inside")
        warehouse.execute("set variable low = $1::timestamptz", [span[0]])
        warehouse.execute("set variable high = $1::timestamptz", [span[1]])
        if not _select(warehouse, table, f"{_IDS} from inside"):
            return []
        return raw_files.rows(warehouse, name)


def unbuilt(
    raw_file: Place, published: Place, vendor: str, stream: Stream
) -> list[tuple[str, datetime, int]]:
    """Return (account, UTC day, number) of stored calls that ``fact_calls`` lacks."""
    with raw_files.opened(raw_file) as warehouse:
        if stream.table not in raw_files.tables(warehouse):
            return []
        warehouse.table(f"raw_file.raw.{stream.table}").create_view("records")
        warehouse.execute(query("raw/newest"))
        warehouse.sql(query("raw/latest")).create_view("latest")
        warehouse.sql(stream.calls).create_view("calls")
        with attached(warehouse, published, "published", PUBLISHED_FILE):
            facts = warehouse.table("published.main.fact_calls")
            facts.filter(raw_files.equals("vendor", vendor)).create_view("facts")
            return raw_files.rows(warehouse, "unbuilt")


def pending(raw_file: Place, stream: Stream, span: Interval) -> list[PendingDay]:
    """Return the days of a span whose newest stored records are pending."""
    with raw_files.opened(raw_file) as warehouse:
        if stream.table not in raw_files.tables(warehouse):
            return []
        bounds = f"event_at >= '{span[0]}' and event_at < '{span[1]}'"
        stored = warehouse.table(f"raw_file.raw.{stream.table}")
        stored.filter(bounds).create_view("inside")
        if not _select(warehouse, stream.table, f"{_IDS} from inside"):
            return []
        warehouse.sql(query("raw/latest")).filter(bounds).create_view("latest")
        # Apart from the next query, so that only one of them has payloads in memory.
        found = raw_files.fetched(
            warehouse, stream.pending, lambda found: found.to_arrow_table()
        )
        warehouse.register("pending", found)
        rows = raw_files.rows(warehouse, "pending_days")
    return [
        PendingDay(account, start, records, tuple(ids))
        for account, start, records, ids in rows
    ]


def went_back(raw_file: Place, table: str) -> list[tuple[str, int]]:
    """Return by account how many records have an older version as their newest."""
    with raw_files.opened(raw_file) as warehouse:
        if table not in raw_files.tables(warehouse):
            return []
        warehouse.table(f"raw_file.raw.{table}").create_view("records")
        return raw_files.rows(warehouse, "went_back")


def versions(
    raw_file: Place, table: str, account: str, record_id: str
) -> list[dict[str, Any]]:
    """Return all stored versions of a record, oldest first; see `versions.sql`."""
    with raw_files.opened(raw_file) as warehouse:
        if table not in raw_files.tables(warehouse):
            return []
        stored = warehouse.table(f"raw_file.raw.{table}")
        own = stored.filter(raw_files.equals("account", account))
        own.filter(raw_files.equals("record_id", record_id)).create_view("records")
        found = warehouse.execute(query("raw/versions"))
        names = [name for name, *_ in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
