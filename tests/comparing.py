"""Whether two databases have the same tables: rows, types, comments and views."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

Contents: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What each table of a database has, by its name."""


def contents(connection: duckdb.DuckDBPyConnection, database: str) -> Contents:
    """Return all that a database has: types, comments, views, and every row, sorted."""
    found: dict[str, Mapping[str, Any]] = {}
    mine = f"where database_name = '{database}' and not internal"
    tables = connection.execute(
        "select schema_name || '.' || table_name, comment from duckdb_tables() "
        f"{mine} order by all"
    ).fetchall()
    for name, comment in tables:
        columns = connection.execute(
            "select column_name, data_type, comment from duckdb_columns() "
            f"{mine} and schema_name || '.' || table_name = $1 order by column_index",
            [name],
        ).fetchall()
        rows = connection.execute(f"from {database}.{name} order by all").fetchall()
        found[name] = {"comment": comment, "columns": columns, "rows": rows}
    views = connection.execute(
        "select schema_name || '.' || view_name, comment from duckdb_views() "
        f"{mine} order by all"
    ).fetchall()
    return found | {name: {"view": comment} for name, comment in views}


def different(one: Contents, other: Contents) -> list[str]:
    """Name what differs, by table."""
    assert one
    return [
        f"{name}: {part}"
        for name in sorted(one.keys() | other.keys())
        for part in ("comment", "columns", "rows", "view")
        if one.get(name, {}).get(part, 0) != other.get(name, {}).get(part, 0)
    ]


def differences_of_files(file: Path, other: Path) -> list[str]:
    """Compare all tables of two files, row for row; name what differs."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name, path in (("file", file), ("other", other)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        return different(*(contents(connection, name) for name in ("file", "other")))
