"""Run queries over the published file: our own, and those of an operator."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb

from pipelines.warehouse.opening import PUBLISHED_FILE, FileKind, opened, read
from pipelines.warehouse.queries import query
from transforms.runner.storage import Place

Row = dict[str, Any]
"""Values by column name."""


def rows_of(published: Place, name: str, now: datetime | None = None) -> list[Row]:
    """Return the rows of a query in ``queries/published`` over a published file.

    ``now`` is its variable of that name. Raises `FileError` for a file that cannot be
    opened or read.
    """
    with queries_with(published, {"now": now}) as rows:
        return rows(name)


def old_calls(
    built: Place, file_kind: FileKind, vendor: str, before: datetime
) -> list[str]:
    """Return the keys of a vendor's calls before a time that have personal data.

    ``built`` is the published file or the build file.
    """
    with read(built, file_kind) as connection:
        connection.execute("set variable vendor = $1", [vendor])
        connection.execute("set variable before = $1::timestamptz", [before])
        rows = connection.execute(query("published/old_calls")).fetchall()
    return [key for (key,) in rows]


@contextmanager
def queries_with(
    published: Place, variables: Mapping[str, object]
) -> Iterator[Callable[[str], list[Row]]]:
    """Open a published file; yield what returns the rows of a query by its name.

    The queries are of ``queries/published``, and all see the same file. Raises the
    errors of `rows_of`.
    """
    with read(published, PUBLISHED_FILE) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, value in variables.items():
            connection.execute(f"set variable {name} = $1", [value])
        yield lambda name: rows_of_result(
            connection.execute(query(f"published/{name}"))
        )


def rows_of_sql(published: Place, sql: str) -> list[Row]:
    """Return the rows of any query over a published file.

    Raises the errors of `confined`, and `duckdb.Error` for a query that fails.
    """
    with confined(published) as connection:
        return rows_of_result(connection.execute(sql))


@contextmanager
def confined(published: Place) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published file for queries that are not our own.

    Times are in UTC, and a query cannot read other files. Raises `FileError` for a file
    that cannot be opened.
    """
    with opened(published, PUBLISHED_FILE, is_alone=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_external_access = false")
        yield connection


def rows_of_result(result: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the rows of an executed query, values by column."""
    names = distinct(column[0] for column in result.description or [])
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def distinct(names: Iterable[str]) -> list[str]:
    """Return names, a repeated one with a number, as DuckDB does in tables.

    Otherwise the second of two columns would replace the first.
    """
    found: dict[str, None] = {}
    for name in names:
        number, own = 0, name
        while own in found:
            number += 1
            own = f"{name}_{number}"
        found[own] = None
    return list(found)
