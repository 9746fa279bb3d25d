"""The functions that models call beside DuckDB's: phone_numbers.py and times.py."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pyarrow as pa
from duckdb import DuckDBPyConnection
from duckdb.func import FunctionNullHandling, PythonUDFType
from pyarrow import compute

from transforms.runner import phone_numbers, times

READ_TIME = "read_time"
"""What models call: (text, zone) to a moment in UTC, or NULL."""
_MOMENTS = pa.timestamp("us", tz="UTC")
_EARLIEST = pa.scalar(datetime(1970, 1, 1, tzinfo=UTC), _MOMENTS)
"""From here on Arrow reads no other moment than times.py does."""


def register(connection: DuckDBPyConnection) -> None:
    """Give a connection every function that models call."""
    phone_numbers.register(connection)
    connection.create_function(
        READ_TIME,
        _read_times,
        ["varchar", "varchar"],
        "timestamptz",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def version() -> str:
    """Name all that decides what a text is read as."""
    digest = hashlib.sha256(phone_numbers.version().encode())
    for file in (__file__, times.__file__):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _read_times(texts: pa.StringArray, zones: pa.StringArray) -> pa.TimestampArray:
    """Read a whole column at once, or text by text where one is of a rarer form."""
    written = compute.if_else(compute.equal(texts, pa.scalar("")), None, texts)
    in_utc = compute.all(
        compute.equal(zones, pa.scalar("UTC")), skip_nulls=False
    ).as_py()
    kinds = [pa.timestamp("ns", tz="UTC"), *([pa.timestamp("ns")] if in_utc else ())]
    for kind in kinds:
        try:
            read = compute.cast(compute.cast(written, kind), _MOMENTS, safe=False)
        except pa.ArrowInvalid:
            continue
        if compute.all(compute.greater_equal(read, _EARLIEST), min_count=0).as_py():
            return cast("pa.TimestampArray", read)
    rows = zip(texts.to_pylist(), zones.to_pylist(), strict=True)
    moments = pa.array([_read_time(*row) for row in rows], type=_MOMENTS)
    return cast("pa.TimestampArray", moments)


def _read_time(text: str | None, zone: str | None) -> datetime | None:
    try:
        return None if text is None else times.read_time(text, zone)
    except ValueError:
        return None
