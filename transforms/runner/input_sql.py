"""The relations that models read and no model makes, as SQL over wherever rows are.

The night gives them what it touched, an export all there is; the text is the same.
"""
# ruff: noqa: S608 -- what is spliced are names that model.py has checked

from collections.abc import Iterable, Mapping
from pathlib import Path

from transforms.runner.checks import quoted

_RECORDS = (
    "account varchar, record_id varchar, event_at timestamptz, window_from timestamptz,"
    " fetched_at timestamptz, payload varchar, load_no bigint, _dlt_load_id varchar"
)
"""Columns of every record table of every vendor."""
NAMES = ", ".join(column.split()[0] for column in _RECORDS.split(", "))
_LEDGERS = {
    "raw.load_windows": (
        "account varchar, stream varchar, window_start timestamptz,"
        " window_end timestamptz, purpose varchar, state varchar, rows_fetched bigint,"
        " rows_distinct bigint, rows_inside bigint, rows_quarantined bigint,"
        " vendor_total bigint,"
        " requests bigint, retries bigint, rows_vanished bigint, rows_known bigint,"
        " split_of varchar, attempt bigint, reason varchar,"
        " load_id varchar, started_at timestamptz, finished_at timestamptz,"
        " error varchar, load_no bigint, _dlt_load_id varchar"
    ),
    "raw.quarantine": (
        "account varchar, stream varchar, window_from timestamptz,"
        " window_to timestamptz, record_no bigint, reason varchar, payload varchar,"
        " fetched_at timestamptz, load_no bigint, _dlt_load_id varchar"
    ),
    "raw.absences": (
        "account varchar, record varchar, record_id varchar, read_at timestamptz,"
        " event_at timestamptz, since timestamptz, state varchar, load_no bigint,"
        " _dlt_load_id varchar"
    ),
    "inputs.loads": "load_id varchar, status bigint, inserted_at timestamptz",
}
"""Tables that each raw file has once, and the columns they have when none does."""
_DELETED = (
    "vendor varchar, account varchar, record_id varchar, deleted_at timestamptz,"
    " load_id varchar"
)
_TOMBSTONES = (
    "vendor varchar, record varchar, account varchar, record_id varchar,"
    " fetched_at timestamptz, load_no bigint, load_id varchar"
)
LEDGERS: Mapping[str, str] = {
    name: "_dlt_loads" if name == "inputs.loads" else name.removeprefix("raw.")
    for name in _LEDGERS
}
"""What models call a ledger, and what the table of a raw file is called."""


def ledger(name: str, places: Mapping[str, str]) -> str:
    """Return the ledgers of the vendors, which stand in ``places``, as one."""
    return united([_none(f"vendor varchar, {_LEDGERS[name]}"), *of_vendors(places)])


def versions(place: str | None) -> str:
    """Return the versions that have a payload, of a record table or of none."""
    if place is None:
        return _none(_RECORDS)
    return f"select {NAMES} from (from {place} where payload is not null)"


def vanished(parts: Iterable[str]) -> str:
    """Return as one what is ``gone`` from several tables."""
    return united([_none(_DELETED), *parts])


def tombstones(places: Mapping[tuple[str, str], str]) -> str:
    """Return when records were found deleted, of all vendors' tables in ``places``."""
    parts = [
        f"select '{vendor}' as vendor, '{table}' as record, account, record_id,"
        f" fetched_at, load_no, _dlt_load_id as load_id from {place}"
        " where payload is null"
        for (vendor, table), place in places.items()
    ]
    return united([_none(_TOMBSTONES), *parts])


def every_version(places: Mapping[tuple[str, str], str]) -> str:
    """Return the ``versions`` of all vendors' tables, which stand in ``places``."""
    parts = [
        f"select '{vendor}' as vendor, '{table}' as record, * from {place}"
        for (vendor, table), place in places.items()
    ]
    return united([_none(f"vendor varchar, record varchar, {_RECORDS}"), *parts])


def gone(vendor: str, place: str) -> str:
    """Return the records of a table whose last version has no payload."""
    return (
        f"with gone as (from {place} where payload is null"
        " qualify row_number() over (partition by account, record_id"
        " order by load_no desc, fetched_at desc) = 1)"
        f" select '{vendor}' as vendor, account, record_id, fetched_at as deleted_at,"
        " _dlt_load_id as load_id from gone"
        f" where not exists (from {place} as later where later.payload is not null"
        " and later.account = gone.account and later.record_id = gone.record_id"
        " and (later.load_no, later.fetched_at) > (gone.load_no, gone.fetched_at))"
    )


def of_vendors(places: Mapping[str, str]) -> list[str]:
    """Return the rows of each vendor's place, with its name as ``vendor``."""
    return [
        f"select '{vendor}' as vendor, * from {place}"
        for vendor, place in places.items()
    ]


def union(columns: str, places: Mapping[str, str]) -> str:
    """Return the rows of each vendor's place, with the columns of a union's SELECT."""
    typed = f"select null::varchar as vendor, * from ({columns}\n)"
    return united([typed, *of_vendors(places)])


def united(selects: Iterable[str]) -> str:
    """Return all rows; what one of them has no column for is NULL."""
    return "\nunion all by name\n".join(f"({one})" for one in selects)


def seed(path: Path) -> str:
    """Return a CSV file's rows, typed by all of them."""
    return f"from read_csv({quoted(str(path))}, header = true, sample_size = -1)"


def _none(typed: str) -> str:
    columns = (column.split() for column in typed.split(", "))
    listed = ", ".join(f"null::{kind} as {name}" for name, kind in columns)
    return f"select {listed} where false"
