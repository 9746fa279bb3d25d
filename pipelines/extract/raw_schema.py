"""The tables of a raw file: their columns, and the keys that a merge goes by."""

import pyarrow as pa

KEYS = {
    "records": ["account", "event_at", "record_id", "fetched_at"],
    "quarantine": ["account", "stream", "window_from", "record_no", "fetched_at"],
    "load_windows": ["account", "stream", "window_start", "window_end", "started_at"],
    "absences": ["account", "record", "record_id", "read_at"],
}
"""Time stands before the id, so that a merge touches recent row groups only."""


def _schema(kind: str, **columns: pa.DataType) -> pa.Schema:
    keys = KEYS[kind]
    return pa.schema(
        pa.field(name, type_, nullable=name not in keys)
        for name, type_ in columns.items()
    )


_TEXT, _COUNT = pa.string(), pa.int64()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
RECORDS = _schema(
    "records",
    account=_TEXT,
    record_id=_TEXT,
    event_at=_TIME,
    window_from=_TIME,
    fetched_at=_TIME,
    payload=_TEXT,
    load_no=_COUNT,
)
QUARANTINE = _schema(
    "quarantine",
    account=_TEXT,
    stream=_TEXT,
    window_from=_TIME,
    window_to=_TIME,
    record_no=_COUNT,
    reason=_TEXT,
    payload=_TEXT,
    fetched_at=_TIME,
    load_no=_COUNT,
)
LEDGER = _schema(
    "load_windows",
    account=_TEXT,
    stream=_TEXT,
    window_start=_TIME,
    window_end=_TIME,
    purpose=_TEXT,
    state=_TEXT,
    rows_fetched=_COUNT,
    rows_distinct=_COUNT,
    rows_inside=_COUNT,
    rows_quarantined=_COUNT,
    vendor_total=_COUNT,
    requests=_COUNT,
    retries=_COUNT,
    rows_vanished=_COUNT,
    rows_known=_COUNT,
    rows_received=_COUNT,
    rows_stored=_COUNT,
    rows_unchanged=_COUNT,
    split_of=_TEXT,
    attempt=_COUNT,
    started_at=_TIME,
    finished_at=_TIME,
    reason=_TEXT,
    error=_TEXT,
    load_no=_COUNT,
)
ABSENCES = _schema(
    "absences",
    account=_TEXT,
    record=_TEXT,
    record_id=_TEXT,
    read_at=_TIME,
    event_at=_TIME,
    since=_TIME,
    state=_TEXT,
    load_no=_COUNT,
)
"""What runs found out about stored records that were not listed: one row per record
and change of mind. ``state`` is suspected (missing once, believably), doubted (missing
in a reading that is not believed), deleted, present, or lapsed (its vendor can no
longer prove either)."""
