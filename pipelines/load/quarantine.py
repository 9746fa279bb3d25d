"""Records in quarantine: read again with the present code, and stored if they can be.

A record in quarantine is known by its bytes: the same bytes of the same account and
stream are one record, however often they came.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.extract.raw_schema import RECORDS
from pipelines.extract.window_reader import UNREADABLE, read_keys, reason_of
from pipelines.load.erasure import Erased, blanked, marked
from pipelines.load.suppression import Suppression, is_marked
from pipelines.planning.stream import Stream
from pipelines.sources import streams_of
from pipelines.warehouse.queries import query
from pipelines.warehouse.suppression_list import GONE

READABLE = "can be read now; store it with: callhouse quarantine retry"
REMOVED = "removed:"
"""Begins what stands in place of a record's text once it is removed, as too old."""
REPLACEMENT = "\ufffd"
"""Replaces bytes that are not UTF-8; they cannot be restored."""


@dataclass(frozen=True)
class Unreadable:
    """One record in quarantine, and whether the present code can read it."""

    vendor: str
    account: str
    stream: str
    payload: str
    first_reason: str
    """Why it could not be read when it last came."""
    is_open: bool
    """The last complete read of its window still had it."""
    sightings: Sequence[Mapping[str, Any]]
    """Window, time and load of each read that had it, the oldest first."""
    reason: str
    """Why it cannot be read; `READABLE` when it can."""
    record_id: str = ""
    event_at: datetime | None = None

    @property
    def first_seen(self) -> datetime:
        """Return the time of the first read that had it."""
        first: datetime = self.sightings[0]["fetched_at"]
        return first

    @property
    def last_seen(self) -> datetime:
        """Return the time of the last read that had it."""
        last: datetime = self.sightings[-1]["fetched_at"]
        return last


def quarantined(
    file: duckdb.DuckDBPyConnection, vendor: str, accounts: Iterable[str] | None
) -> list[Unreadable]:
    """Return the quarantine of a raw file; each record is read once more."""
    tables = _tables(file)
    if not {"quarantine", "load_windows", "_dlt_loads"} <= tables:
        return []
    wanted = set(accounts or ())
    streams = {one.name: one for one in streams_of(vendor) if one.table in tables}
    return [
        Unreadable(
            vendor,
            account,
            stream,
            payload,
            reason,
            is_open,
            sightings,
            *(
                (reason, "", None)
                if payload.startswith(REMOVED)
                else _read(streams.get(stream), payload, sightings[0]["fetched_at"])
            ),
        )
        for account, stream, payload, reason, is_open, sightings in file.execute(
            query("raw/quarantine")
        ).fetchall()
        if not wanted or account in wanted
    ]


def _read(
    stream: Stream | None, payload: str, fetched_at: datetime
) -> tuple[str, str, datetime | None]:
    """Return the reason, the id and the event time of a record."""
    if stream is None:
        return "its stream is not read any more", "", None
    if payload.startswith(GONE):
        return "it was erased with callhouse erase", "", None
    if REPLACEMENT in payload:
        return "bytes that were not UTF-8 came; a later read may bring it", "", None
    try:
        keys = read_keys(stream, payload.encode(), fetched_at)
    except UNREADABLE as error:
        return reason_of(error), "", None
    return READABLE, keys.record_id, keys.event_at


def store_readable(
    file: duckdb.DuckDBPyConnection,
    suppression: Suppression,
    readable: Sequence[Unreadable],
) -> bool:
    """Move records from the quarantine to their tables, as one more load.

    Return True if that erased something of a stored version.
    """
    has_erased = False
    vendor = suppression.vendor
    load_id = str(time.time())  # as dlt makes them
    file.execute("set variable load_id = $1", [load_id])
    file.execute(query("raw/quarantine_load"))
    for table in {stream.table for stream in streams_of(vendor)}:
        streams = {s.name: s for s in streams_of(vendor) if s.table == table}
        own = [one for one in readable if one.stream in streams]
        if own:
            stream = streams[own[0].stream]
            has_erased |= _store_table(file, stream, own, load_id, suppression)
    file.register("readable", _keys_of(readable))
    file.execute(query("raw/quarantine_recount"))
    file.execute(query("raw/quarantine_remove"))
    return has_erased


def _store_table(
    file: duckdb.DuckDBPyConnection,
    stream: Stream,
    readable: Sequence[Unreadable],
    load_id: str,
    suppression: Suppression,
) -> bool:
    """Store versions of records, without what the vendor has erased in any of them.

    Return True if that changed a stored version.
    """
    name = f"raw.{stream.table}"
    file.register("wanted", _keys_of(readable))
    file.table(name).create_view("records", replace=True)
    stored = file.sql(query("raw/stored_versions")).to_arrow_table().cast(RECORDS)
    found = [row | {"is_stored": True} for row in stored.to_pylist()]
    was_erased = {
        (row["account"], row["record_id"]) for row in found if _is_erased(row)
    }

    def payload_of(one: Unreadable) -> str:
        known = one.account, one.record_id
        if known in was_erased or suppression.concerns(known, one.payload):
            return suppression.erased(stream, known, one.payload)
        if one.event_at is None:
            return one.payload
        return suppression.aged(stream, one.event_at, one.payload)

    found += [
        {
            "account": one.account,
            "record_id": one.record_id,
            "event_at": one.event_at,
            "payload": payload_of(one),
            "is_stored": False,
            **sighting,
        }
        for one in readable
        for sighting in one.sightings
    ]
    found.sort(
        key=lambda row: (row["load_no"], row["fetched_at"], not row["is_stored"])
    )
    newest = {(row["account"], row["record_id"]): row for row in found}
    last = pa.Table.from_pylist(list(newest.values()), schema=RECORDS)
    versions = pa.Table.from_pylist(found, schema=RECORDS)
    erased = Erased(
        stream, frozenset(marked(stream, versions)), blanked(stream, last)
    ).applied(versions)
    before: dict[tuple[str, str], str | None] = {}
    changes, has_erased = [], False
    for row, payload in zip(found, erased["payload"].to_pylist(), strict=True):
        known = row["account"], row["record_id"]
        if row["is_stored"] and payload != row["payload"]:
            has_erased = True
            file.table(name).update(
                {"payload": duckdb.ConstantExpression(payload)}, condition=_is(row)
            )
        elif not row["is_stored"] and before.get(known, "") != payload:
            changes.append(row | {"payload": payload, "_dlt_load_id": load_id})
        before[known] = payload
    schema = RECORDS.append(pa.field("_dlt_load_id", pa.string()))
    columns = file.table(name).columns
    fresh = file.from_arrow(pa.Table.from_pylist(changes, schema=schema))
    fresh.select(*columns).insert_into(name)
    return has_erased


def _is_erased(row: Mapping[str, Any]) -> bool:
    return row["payload"] is not None and is_marked(row["payload"])


def _is(row: Mapping[str, Any]) -> duckdb.Expression:
    """Return the condition that selects this stored version."""
    condition = duckdb.ConstantExpression(value=True)
    for name in ("account", "record_id", "event_at", "fetched_at"):
        condition &= duckdb.ColumnExpression(name) == duckdb.ConstantExpression(
            row[name]
        )
    return condition


def _keys_of(readable: Iterable[Unreadable]) -> pa.Table:
    names = ("account", "stream", "payload", "record_id", "event_at")
    rows = [{name: getattr(one, name) for name in names} for one in readable]
    texts = [pa.field(name, pa.string()) for name in names[:-1]]
    return pa.Table.from_pylist(rows, pa.schema([*texts, RECORDS.field("event_at")]))


def _tables(file: duckdb.DuckDBPyConnection) -> set[str]:
    found = file.table_function("duckdb_tables").filter("schema_name = 'raw'")
    return {name for (name,) in found.select("table_name").fetchall()}
