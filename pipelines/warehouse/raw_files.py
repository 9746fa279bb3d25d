"""Open a vendor's raw file and run our own queries over it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from pipelines.warehouse.opening import RAW_FILE, attach, is_present
from pipelines.warehouse.queries import query
from transforms.runner.storage import NO_PROGRESS, Place, connect, in_memory

_T = TypeVar("_T")
MEMORY = (96, 144, 216, 324)
"""Memory limits of a query in MiB; the next one is tried if one is not enough."""


_SETTINGS: dict[str, Any] = {
    "threads": 1,  # each would hold payloads of its own
    # Payloads stream by on the left of a join; its right side is in memory.
    "disabled_optimizers": "build_side_probe_side",
}
_LAKES: dict[Place, list[duckdb.DuckDBPyConnection]] = {}
"""Databases that have a lake attached and that nobody uses, by lake: a lake can be
written meanwhile, and to attach it takes long."""


@contextmanager
def opened(
    raw_file: Place, *, is_to_write: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a raw file as catalog ``raw_file``, by default only to read; none: empty.

    Views go into an empty database ``views``, and both are closed in the end.
    """
    with _database(raw_file, is_to_write=is_to_write) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("attach ':memory:' as views")
        connection.execute("use views")
        if tables(connection):  # a first load may have been killed before any
            connection.execute("set search_path = 'views.main,raw_file.raw'")
        yield connection
        connection.execute("use memory")
        connection.execute("detach views")


@contextmanager
def _database(
    raw_file: Place, *, is_to_write: bool
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that has a raw file as ``raw_file``, if there is one."""
    if isinstance(raw_file, Path):
        temporary = raw_file.with_name(f"{raw_file.name}.tmp")
        with in_memory(temporary, _SETTINGS) as connection:
            if is_present(raw_file):
                attach(
                    connection, raw_file, "raw_file", RAW_FILE, is_to_write=is_to_write
                )
            yield connection
            connection.execute("detach database if exists raw_file")
        return
    idle = _LAKES.setdefault(raw_file, [])
    try:
        database = idle.pop()
    except IndexError:
        database = connect(settings={**raw_file.settings, **_SETTINGS})
    try:
        with database.cursor() as connection:
            connection.execute(NO_PROGRESS)
            if not _is_attached(connection) and is_present(raw_file):
                attach(
                    connection, raw_file, "raw_file", RAW_FILE, is_to_write=is_to_write
                )
            yield connection
    except BaseException:
        database.close()
        raise
    idle.append(database)


def _is_attached(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "select 1 from duckdb_databases() where database_name = 'raw_file'"
    )
    return found.fetchone() is not None


def rows(warehouse: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    """Return all rows of a query in ``queries/raw``, within the limits of `MEMORY`."""
    return fetched(warehouse, query(f"raw/{name}"), lambda found: found.fetchall())


def fetched(
    warehouse: duckdb.DuckDBPyConnection,
    sql: str,
    fetch: Callable[[duckdb.DuckDBPyRelation], _T],
) -> _T:
    """Return ``fetch`` of a query's result, with as much memory as its records need.

    DuckDB caches what it has read. Without a limit it would use all memory, and with a
    fixed one it fails on very large records, of which it reads 2,048 at once.
    """
    ((most,),) = warehouse.execute("select current_setting('memory_limit')").fetchall()
    try:
        for limit in MEMORY:
            warehouse.execute(f"set memory_limit = '{limit}MiB'")
            with suppress(duckdb.OutOfMemoryException):
                return fetch(warehouse.sql(sql))
    finally:
        warehouse.execute(f"set memory_limit = '{most}'")
    return fetch(warehouse.sql(sql))


def tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the tables in the schema ``raw``."""
    found = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'raw'"
    ).fetchall()
    return {name for (name,) in found}


def equals(column: str, value: str) -> duckdb.Expression:
    """Return the condition that a column equals a value, whatever text that is."""
    return duckdb.ColumnExpression(column) == duckdb.ConstantExpression(value)
