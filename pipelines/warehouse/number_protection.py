"""Phone numbers in the published file: plain, masked, or hashed with a key.

The build file has them plain. A protected file is not a changed copy of it, in whose
free blocks the numbers would stay, but a new file into which each table is written
with its numbers protected. Which columns have numbers, their units say, in
``ops.data_dictionary``.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    FileError,
    attach,
    is_present,
    read,
)
from pipelines.warehouse.queries import query
from transforms.runner.memory import build_settings
from transforms.runner.statements import quoted
from transforms.runner.storage import STORAGE, Place, connect

PLAIN, MASKED, HASHED = MODES = ("plain", "masked", "hashed")
UNITS = {
    "phone number": "protected_number",
    "may be a number": "protected_text",
    "key, may have a number": "protected_key",
    "record": "protected_record",
}
"""The macro that protects the columns of a unit."""
SHOWN_IN = "ops", "build_info", "phone_numbers"
"""The column in which a file says what it shows of them."""
_BLOCK = 64
"""Bytes of a block of SHA-256, to which HMAC fills its key up (RFC 2104)."""


@dataclass(frozen=True)
class NumberProtection:
    """What the published file shows of phone numbers."""

    mode: str = PLAIN
    key: bytes = field(default=b"", repr=False)
    """At most 64 bytes."""


def shown_in(published: Place) -> str:
    """Return what a published file shows of phone numbers, one of `MODES`."""
    if not is_present(published):
        return PLAIN
    try:
        with read(published, PUBLISHED_FILE) as connection:
            found = connection.execute(query("published/phone_numbers")).fetchone()
    except FileError:  # of an older version, or damaged
        return PLAIN
    return PLAIN if found is None else str(found[0])


def protected_columns(
    built: duckdb.DuckDBPyConnection,
) -> frozenset[tuple[str, str]]:
    """Return table and name of the columns that are protected unless all is plain."""
    described = built.table("ops.data_dictionary").project(
        "table_schema || '.' || table_name, column_name, unit"
    )
    return frozenset(
        (table, column) for table, column, unit in described.fetchall() if unit in UNITS
    )


def masked_texts(texts: Collection[str]) -> dict[str, str]:
    """Return texts with what masking leaves of them: ``***`` for most with a number."""
    with connect() as connection:
        _make_macros(connection, NumberProtection(MASKED))
        connection.execute("set variable texts = $1", [sorted(texts)])
        return dict(connection.execute(query("protection/texts")).fetchall())


def copy_protected(source: Path, target: Path, protection: NumberProtection) -> None:
    """Write the tables of a built file into a new one, their numbers protected."""
    settings: Any = {**STORAGE, **build_settings(), "temp_directory": f"{target}.tmp"}
    with connect(settings=settings) as connection:
        _make_macros(connection, protection)
        attach(connection, source, "built", BUILD_FILE)
        connection.execute(f"attach {quoted(str(target))} as protected")
        connection.execute("copy from database built to protected (schema)")
        for table, columns in _tables(connection, protection.mode):
            rows = connection.table(f"built.{table}").project(columns)
            rows.insert_into(f"protected.{table}")
        connection.execute("checkpoint protected")


def _make_macros(
    connection: duckdb.DuckDBPyConnection, protection: NumberProtection
) -> None:
    key = protection.key.ljust(_BLOCK, b"\0")
    codes = sorted(map(str, COUNTRY_CODE_TO_REGION_CODE), key=len, reverse=True)
    values = {
        "inner_key": bytes(one ^ 0x36 for one in key),
        "outer_key": bytes(one ^ 0x5C for one in key),
        "country_code": rf"^\+({'|'.join(codes)})",
    }
    for name, value in values.items():
        connection.execute(f"set variable {name} = $1", [value])
    for name in ("numbers", protection.mode, "protected"):
        connection.execute(query(f"protection/{name}"))


def _tables(
    connection: duckdb.DuckDBPyConnection, mode: str
) -> Iterator[tuple[str, str]]:
    """Yield each table of the built file, and its columns as the copy has them."""
    rows = connection.execute(query("protection/columns")).fetchall()
    tables: dict[str, list[str]] = {}
    for schema, table, column, unit in rows:
        name = f'"{column}"'
        value = f"{UNITS[unit]}({name})" if unit in UNITS else name
        if (schema, table, column) == SHOWN_IN:
            value = quoted(mode)
        columns = tables.setdefault(f'"{schema}"."{table}"', [])
        columns.append(f"{value} as {name}")
    for table, columns in tables.items():
        yield table, ", ".join(columns)
