"""What a built file remembers of the build that made it."""
# ruff: noqa: S608 -- what is spliced are names of this module

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms import functions
from transforms.graph import Graph, config_kept
from transforms.raw import Raw

Loads: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""Load ids by vendor and table."""
_LOADS = "ops.built_loads"
_STAMP = "ops.build_state"
LAYOUT = 1
"""Of the built tables, for whoever reads them: raise it when a table or column that
``pipelines/queries`` asks for is new, or means something else."""
PROGRAM = f"callhouse {version('callhouse')}"


@dataclass(frozen=True)
class Stamp:
    """What a file says of itself."""

    layout: int
    program: str
    """The version of the program that wrote it."""


def read_stamp(file: Path) -> Stamp | None:
    """Return what a built file says of itself; None: nothing, as older ones do."""
    with duckdb.connect(str(file), read_only=True) as connection:
        named = connection.execute(
            "select count(*) from duckdb_columns() where schema_name || '.' ||"
            f" table_name = '{_STAMP}' and column_name in ('layout', 'program')"
        ).fetchall()
        if named != [(2,)]:
            return None
        row = connection.execute(f"select layout, program from {_STAMP}").fetchone()
    return None if row is None else Stamp(*row)


def remove_other(build_file: Path) -> None:
    """Remove a built file of another layout: all in it can be built anew."""
    if not build_file.exists() or not build_file.stat().st_size:
        return
    found = read_stamp(build_file)
    if found is None or found.layout != LAYOUT:
        build_file.unlink()
        build_file.with_name(f"{build_file.name}.wal").unlink(missing_ok=True)


def fingerprint(graph: Graph, context: Mapping[str, pa.Table]) -> str:
    """Tell apart builds that would make different rows of the same loads.

    Left out are the clock, ``config.callhouse.now``, and what only tables use that
    are made anew every night.
    """
    made_by = f"{graph.digest} DuckDB {duckdb.__version__} {functions.version()}"
    digest = hashlib.sha256(made_by.encode())
    for name in sorted(config_kept(graph)):
        table = context[name]
        kept = [c for c in table.column_names if (name, c) != ("callhouse", "now")]
        fixed = table.select(kept)
        types = [(column.name, str(column.type)) for column in fixed.schema]
        digest.update(f"{name} {types} {fixed.to_pylist()}\n".encode())
    return digest.hexdigest()


def recall(
    raw: Raw, loads: Loads, stamp: str, *, full: bool
) -> tuple[str | None, Loads]:
    """Return why all must be built again, if it must, and the loads not built yet."""
    execute = raw.connection.execute
    execute("create schema if not exists ops")
    execute(f"create table if not exists {_LOADS} (vendor text, load_id text)")
    execute(
        f"create table if not exists {_STAMP}"
        " (fingerprint text, layout integer, program text)"
    )
    built = set(execute(f"from {_LOADS}").fetchall())
    new = {
        (vendor, table): frozenset(one for one in found if (vendor, one) not in built)
        for (vendor, table), found in loads.items()
    }
    gone = {vendor for vendor, _ in built - _pairs(loads) if vendor in raw.vendors}
    stamped = execute(f"select fingerprint from {_STAMP}").fetchall()
    if full:
        return "asked for", new
    if not stamped:
        return "first build", new
    if stamped != [(stamp,)]:
        return "models or configuration changed", new
    return (f"a load of {min(gone)} is gone from its raw file" if gone else None), new


def remember(
    connection: DuckDBPyConnection, loads: Loads, stamp: str, *, full: bool
) -> None:
    """Store what was built from what."""
    if full:
        connection.execute(f"delete from {_LOADS}")
    built = set(connection.execute(f"from {_LOADS}").fetchall())
    for vendor, one in sorted(_pairs(loads) - built):
        connection.execute(f"insert into {_LOADS} values (?, ?)", [vendor, one])
    connection.execute(f"delete from {_STAMP}")
    row = [stamp, LAYOUT, PROGRAM]
    connection.execute(f"insert into {_STAMP} values (?, ?, ?)", row)


def drop_others(connection: DuckDBPyConnection, tables: Collection[str]) -> None:
    """Drop every table that is not one of ``tables``, as its model is gone."""
    stored = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables()"
        " where database_name = 'build'"
    ).fetchall()
    for (table,) in stored:
        if table not in {_LOADS, _STAMP, *tables}:
            connection.execute(f"drop table {table}")


def _pairs(loads: Loads) -> set[tuple[str, str]]:
    return {(vendor, one) for (vendor, _), found in loads.items() for one in found}
