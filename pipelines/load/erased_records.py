"""Erase stored records, in every version: who is listed, and what is too old."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.load.erasure import Known
from pipelines.load.suppression import Suppression, is_marked
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY
from pipelines.sources import streams_of
from pipelines.warehouse.queries import query
from pipelines.warehouse.raw_files import tables
from transforms.runner.storage import NO_PROGRESS

AT_ONCE = 512
"""Records that are in memory at the same time."""
_COLUMNS: dict[str, pa.DataType] = {"row_id": pa.int64(), "payload": pa.string()}
_CHANGED = pa.schema(_COLUMNS)


def calls_of(file: duckdb.DuckDBPyConnection, suppression: Suppression) -> set[Known]:
    """Return the calls in a raw file that are of somebody on the list."""
    streams = _stored(file, suppression.vendor)
    calls = [one for one in streams if not one.is_full_refresh]
    return _concerned(file, suppression, calls, or_marked=False)


def _concerned(
    file: duckdb.DuckDBPyConnection,
    suppression: Suppression,
    streams: list[Stream],
    *,
    or_marked: bool,
) -> set[Known]:
    found: set[Known] = set()
    for stream in streams:
        for _, account, record_id, payload in _rows(file, stream.table, "record_id"):
            known = account, record_id
            if known in found:
                continue
            is_erased = or_marked and is_marked(payload)
            if is_erased or suppression.concerns(known, payload):
                found.add(known)
    return found


def erase_records(file: duckdb.DuckDBPyConnection, suppression: Suppression) -> int:
    """Erase everybody who is listed from a raw file, in one transaction.

    Return how many records that concerns, those that were erased before among them.
    """
    stored = _stored(file, suppression.vendor)
    found = _concerned(file, suppression, stored, or_marked=True)
    streams = streams_of(suppression.vendor)
    file.begin()
    for stream in stored:
        changed = [
            {"row_id": row, "payload": clean}
            for row, account, record_id, payload in _rows(
                file, stream.table, "record_id"
            )
            if (account, record_id) in found
            and (clean := suppression.erased(stream, (account, record_id), payload))
            != payload
        ]
        _update(file, stream.table, changed)
    if "quarantine" in tables(file):
        changed = [
            {"row_id": row, "payload": clean}
            for row, account, name, payload in _rows(file, "quarantine", "stream")
            if (
                clean := suppression.unreadable(
                    [one for one in streams if one.name == name], account, payload
                )
            )
            != payload
        ]
        _update(file, "quarantine", changed)
    file.commit()
    return len(found)


def old_days(
    file: duckdb.DuckDBPyConnection,
    vendor: str,
    until: datetime,
    since: datetime | None = None,
) -> list[datetime]:
    """Return the UTC days of a span of time that have records with personal keys."""
    file.execute("set TimeZone = 'UTC'")
    days: set[datetime] = set()
    for stream in _with_personal_keys(file, vendor):
        sql = query("raw/old_days").format(raw_table=stream.table)
        days |= {day for (day,) in file.execute(sql, [since, until]).fetchall()}
    return sorted(days)


def remove_old(
    file: duckdb.DuckDBPyConnection, suppression: Suppression, days: Sequence[datetime]
) -> int:
    """Remove the personal keys of the records of some days; return of how many.

    Each day is a transaction of its own, which bounds the memory.
    """
    found: set[Known] = set()
    for day in days:
        file.begin()
        for stream in _with_personal_keys(file, suppression.vendor):
            changed = []
            for row, account, record_id, payload in _rows(
                file, stream.table, "record_id", day
            ):
                clean = suppression.aged(stream, day, payload)
                if clean != payload:
                    found.add((account, record_id))
                    changed.append({"row_id": row, "payload": clean})
            _update(file, stream.table, changed)
        file.commit()
    return len(found)


def _with_personal_keys(file: duckdb.DuckDBPyConnection, vendor: str) -> list[Stream]:
    return [one for one in _stored(file, vendor) if one.personal]


def _stored(file: duckdb.DuckDBPyConnection, vendor: str) -> list[Stream]:
    """Return a stream for each table of records that there is."""
    there = tables(file)
    by_table = {one.table: one for one in reversed(streams_of(vendor))}
    return [one for table, one in by_table.items() if table in there]


def _rows(
    file: duckdb.DuckDBPyConnection, table: str, name: str, day: datetime | None = None
) -> Iterator[tuple[int, str, str, str]]:
    """Yield row, account, the column ``name`` and payload of what has a payload.

    With a ``day``, only of the records that began on it.
    """
    condition = "true"
    if day is not None:
        # Literals, so that the scan skips row groups.
        start, end = (f"timestamptz '{one.isoformat()}'" for one in (day, day + DAY))
        condition = f"event_at >= {start} and event_at < {end}"
    parts = {"raw_table": table, "named_column": name, "condition": condition}
    ((database,),) = file.execute("select current_database()").fetchall()
    with file.cursor() as reading:
        reading.execute(f'{NO_PROGRESS}; use "{database}"')
        found = reading.execute(query("raw/payloads").format(**parts))
        while some := found.fetchmany(AT_ONCE):
            yield from some


def _update(
    file: duckdb.DuckDBPyConnection, table: str, changed: list[dict[str, Any]]
) -> None:
    if not changed:
        return
    file.register("changed", pa.Table.from_pylist(changed, schema=_CHANGED))
    file.execute(query("raw/erase").format(raw_table=table))
    file.unregister("changed")
