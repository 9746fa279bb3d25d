"""``callhouse explain``: everything about one call, and every version of its record.

Facts and changes are read from the published file, versions from the vendor's raw file.
They do not have what the vendor has erased or withheld.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import duckdb

from pipelines.config.model import Config
from pipelines.config.toml_file import ConfigError
from pipelines.sources import streams_of, vendors
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.opening import PUBLISHED_FILE, is_present, read
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row
from pipelines.warehouse.queries import query
from pipelines.warehouse.records import versions
from transforms.runner.storage import Place

Event: TypeAlias = Literal["first", "changed", "deleted", "restored"]

PARTS = 3
"""Vendor, account and id: the parts of a call's key."""


@dataclass(frozen=True)
class Version:
    """One stored version of a record of the call."""

    table: str
    fetched_at: datetime
    load_id: str
    windows: Sequence[Row]
    """The windows it came in: stream, purpose, window_start, window_end, state."""
    event: Event
    """Seen first, changed, found deleted at its vendor, or listed again."""
    changes: Sequence[Row]
    """Its rows of ``ops.call_changes``: the difference from the version before; empty
    for a version that is not built yet."""
    load_no: int = 0
    """The number of its load; a newer version has a greater one."""


@dataclass(frozen=True)
class CallHistory:
    """One call: its published rows, and the versions of its records."""

    call: Row
    """Its row of ``fact_calls``."""
    legs: Sequence[Row]
    costs: Sequence[Row]
    agents: Sequence[Row]
    queues: Sequence[Row]
    as_of: datetime
    time_zone: str
    """The reporting time zone, which decides ``call_date``."""
    local_times: Row
    """The times of ``call`` in that zone, computed by DuckDB as ``call_date`` is."""
    why_not_final: Sequence[str]
    """Why the call is not final; empty if it is."""
    versions: Sequence[Version]
    """The oldest first."""
    records: Mapping[str, str]
    """The newest record by raw table, as it came."""
    has_raw: bool
    """True: the raw file of its vendor can be read."""


def explain(config: Config, call_key: str) -> CallHistory:
    """Return the history of a call; wait for a load that writes its raw file.

    Raises `ConfigError`, with the nearest keys, if no published call has this key.
    """
    zone = config.reporting_time_zone
    with _published(config.warehouse.tables, call_key, zone) as tables:
        found = _rows(_own(tables, "main.fact_calls", call_key))
        if not found:
            raise ConfigError(_unknown(tables, config.warehouse, call_key))
        (call,) = found
        legs = _rows(_own(tables, "main.fact_call_legs", call_key).order("leg_no"))
        costs = _rows(_own(tables, "main.fact_call_costs", call_key).order("line_no"))
        agents, queues = (
            _rows(_own(tables, f"main.bridge_call_{who}", call_key).order("seq"))
            for who in ("agents", "queues")
        )
        changes = _rows(_own(tables, "ops.call_changes", call_key).order("field"))
        (horizon,) = _rows(tables.sql(query("published/horizon")))
        (local_times,) = _rows(tables.sql(query("published/local_times")))
    raw = config.warehouse.raw(call["vendor"])
    has_raw = _can_read(raw)
    stored = _stored(config.warehouse, call) if has_raw else {}
    steps = [
        step for table, rows in stored.items() for step in _steps(table, rows, changes)
    ]
    newest = {table: _newest(rows) for table, rows in stored.items()}
    return CallHistory(
        call=call,
        legs=legs,
        costs=costs,
        agents=agents,
        queues=queues,
        as_of=horizon["as_of"],
        time_zone=zone,
        local_times=local_times,
        why_not_final=tuple(
            _why_not_final(call, horizon["settle_after"], horizon["as_of"])
        ),
        versions=sorted(steps, key=lambda one: (one.load_no, one.fetched_at)),
        records={table: text for table, text in newest.items() if text is not None},
        has_raw=has_raw,
    )


def _can_read(raw: Place) -> bool:
    return os.access(raw, os.R_OK) if isinstance(raw, Path) else is_present(raw)


@contextmanager
def _published(
    path: Place, call_key: str, zone: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published file; key, its parts and the zone are variables there."""
    parts = call_key.split(":", PARTS - 1)
    vendor, account, call_id = parts if len(parts) == PARTS else ("", "", call_key)
    given = {"call_key": call_key, "vendor": vendor, "time_zone": zone}
    given |= {"account": account, "call_id": call_id}
    with read(path, PUBLISHED_FILE) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, value in given.items():
            connection.execute(f"set variable {name} = $1", [value])
        yield connection


def _own(
    tables: duckdb.DuckDBPyConnection, name: str, call_key: str
) -> duckdb.DuckDBPyRelation:
    key = duckdb.ColumnExpression("call_key") == duckdb.ConstantExpression(call_key)
    return tables.table(name).filter(key)


def _rows(found: duckdb.DuckDBPyRelation) -> list[Row]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def _unknown(
    tables: duckdb.DuckDBPyConnection, warehouse: Warehouse, call_key: str
) -> str:
    """Return in one sentence what is wrong with a key, and the nearest keys."""
    near = [key for (key,) in tables.sql(query("published/near_keys")).fetchall()]
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    parts = call_key.split(":", PARTS - 1)
    if len(parts) < PARTS or not all(parts):
        return (
            f"{call_key!r} is not a call's key, which is vendor:account:id as in "
            f"fact_calls.call_key{meant}"
        )
    vendor, account, call_id = parts
    if vendor not in vendors():
        known = ", ".join(vendors())
        return f"{call_key!r}: there is no vendor {vendor!r}, only {known}{meant}"
    raw = warehouse.raw(vendor)
    own = {"vendor": vendor, "account": account, "vendor_call_id": call_id}
    if _can_read(raw) and any(_stored(warehouse, own).values()):
        return (
            f"{call_key!r} is loaded and not in the published tables: it is not a "
            "phone call, or not built yet; run: callhouse transform"
        )
    return f"there is no call {call_key!r}{meant}"


def _stored(warehouse: Warehouse, call: Row) -> dict[str, list[dict[str, Any]]]:
    """Return the versions of the call's records, by raw table."""
    vendor = call["vendor"]
    names: dict[str, set[str]] = {}
    for stream in streams_of(vendor):
        if not stream.is_full_refresh:
            names.setdefault(stream.table, set()).add(stream.name)
    with locked_raw_file(warehouse, vendor) as raw:
        found = {
            table: versions(raw, table, call["account"], call["vendor_call_id"])
            for table in names
        }
    return {
        table: [
            {**row, "windows": _of(names[table], row["windows"])}
            for row in found[table]
        ]
        for table in found
    }


def _of(streams: set[str], windows: Sequence[Row]) -> list[Row]:
    """Return the windows of the given streams only; others fill another table."""
    return [window for window in windows if window["stream"] in streams]


def _newest(rows: Sequence[Row]) -> str | None:
    """Return the newest payload; None: no version has one."""
    payloads = [str(row["payload"]) for row in rows if row["payload"] is not None]
    return payloads[-1] if payloads else None


def _steps(
    table: str, rows: Sequence[Row], changes: Sequence[Row]
) -> Iterator[Version]:
    event: Event = "first"
    for row in rows:
        if row["payload"] is None:
            event = "deleted"
        found = [
            change
            for change in changes
            if (change["record"], change["seen_at"]) == (table, row["fetched_at"])
        ]
        came = (row["fetched_at"], row["load_id"], tuple(row["windows"]))
        yield Version(table, *came, event, found, row["load_no"])
        event = "restored" if event == "deleted" else "changed"


def _why_not_final(
    call: Row, settle_after: timedelta | None, as_of: datetime
) -> Iterator[str]:
    """Yield why a call is not final, by the same rule as ``fact_calls.is_settled``."""
    if call["is_settled"]:
        return
    if (
        call["ended_at"] is None
        and call["total_seconds"] is None
        and call["outcome"] in {"in_progress", "unknown"}
    ):
        yield "it has not ended yet"
    if call["cost_status"] in {"pending", "partial"}:
        yield f"its cost is {call['cost_status']}"
    if call["started_at"] is None:
        yield "when it started is not known"
    elif settle_after is not None and call["started_at"] + settle_after > as_of:
        until = call["started_at"] + settle_after
        yield f"it may still change until {until:%Y-%m-%d %H:%M} UTC"
