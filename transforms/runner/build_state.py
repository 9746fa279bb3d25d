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

from transforms.runner import functions
from transforms.runner.checks import quoted
from transforms.runner.graph import CALLS, Graph, config_kept
from transforms.runner.inputs import Raw, listed_loads

Loads: TypeAlias = Mapping[tuple[str, str], frozenset[str]]
"""Load ids by vendor and table."""
_LOADS = "ops.built_loads"
_STAMP = "ops.build_state"
_KEPT = "ops.kept_vendors"
"""Vendors whose calls a full build kept as they were, without their raw file."""
LAYOUT = 2
"""Of the built tables, for whoever reads them: raise it when a table or column that
``pipelines/warehouse/queries`` asks for is new, or means something else."""
PROGRAM = f"callhouse {version('callhouse')}"


class HistoryError(Exception):
    """The calls of a vendor can neither be built nor kept as they are."""


@dataclass(frozen=True)
class Stamp:
    """What a file says of itself."""

    layout: int
    program: str
    """The version of the program that wrote it."""


def read_stamp(file: Path) -> Stamp | None:
    """Return what a built file says of itself; None: nothing, as older ones do."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return stamp_in(connection)


def stamp_in(connection: DuckDBPyConnection) -> Stamp | None:
    """Return what an open built file says of itself, as `read_stamp` does."""
    named = connection.execute(
        "select count(*) from duckdb_columns() where schema_name || '.' ||"
        f" table_name = '{_STAMP}' and column_name in ('layout', 'program')"
    ).fetchall()
    if named != [(2,)]:
        return None
    row = connection.execute(f"select layout, program from {_STAMP}").fetchone()
    return None if row is None else Stamp(*row)


def built_loads(connection: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return vendor and id of the loads that an open built file was built from."""
    schema, table = _LOADS.split(".")
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?",
        [schema, table],
    )
    return connection.execute(f"from {_LOADS}").fetchall() if found.fetchone() else []


def remove_other(build_file: Path, unreadable: Collection[str] = ()) -> None:
    """Remove a built file of another layout: all in it can be built anew.

    Raises `HistoryError` where the raw files of ``unreadable`` vendors cannot be read.
    """
    if not build_file.exists() or not build_file.stat().st_size:
        return
    found = read_stamp(build_file)
    if found is not None and found.layout == LAYOUT:
        return
    if unreadable and not _is_bare(build_file):
        raise HistoryError(
            f"{build_file} has another layout, so the calls of "
            f"{', '.join(sorted(unreadable))} cannot be kept as they are"
        )
    build_file.unlink()
    build_file.with_name(f"{build_file.name}.wal").unlink(missing_ok=True)


def _is_bare(build_file: Path) -> bool:
    """Return True if a file has no table, as a first build leaves it that failed."""
    with duckdb.connect(str(build_file), read_only=True) as connection:
        return not connection.execute("select 1 from duckdb_tables()").fetchall()


def fingerprint(graph: Graph, context: Mapping[str, pa.Table]) -> str:
    """Tell apart builds that would make different rows of the same loads.

    Left out are the clock, ``config.run.now``, and what only tables use that
    are made anew every night.
    """
    made_by = f"{graph.digest} DuckDB {duckdb.__version__} {functions.version()}"
    digest = hashlib.sha256(made_by.encode())
    for name in sorted(config_kept(graph)):
        table = context[name]
        kept = [c for c in table.column_names if (name, c) != ("run", "now")]
        fixed = table.select(kept)
        types = [(column.name, str(column.type)) for column in fixed.schema]
        digest.update(f"{name} {types} {fixed.to_pylist()}\n".encode())
    return digest.hexdigest()


def prepare(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Make the schemas and the tables of this module; drop the views.

    These are former names of tables, and are made again when all tables stand.
    """
    for schema in sorted({"ops", *(one.schema for one in graph.models)} - {"staging"}):
        connection.execute(f"create schema if not exists {schema}")
    for (view,) in connection.execute(
        "select schema_name || '.' || view_name from duckdb_views()"
        " where database_name = 'build' and not internal"
    ).fetchall():
        connection.execute(f"drop view {view}")
    connection.execute(
        f"create table if not exists {_LOADS} (vendor text, load_id text)"
    )
    connection.execute(
        f"create table if not exists {_STAMP}"
        " (fingerprint text, layout integer, program text)"
    )
    connection.execute(f"create table if not exists {_KEPT} (vendor text)")


def lacking(raw: Raw, loads: Loads) -> dict[str, int]:
    """Return how many loads that were built a vendor's raw file has no trace of.

    A load whose rows were all written again by later ones, as erasures are, is gone
    from the tables and not from the list of loads; its calls are still there.
    """
    execute = raw.connection.execute
    gone = set(execute(f"from {_LOADS}").fetchall()) - _pairs(loads)
    found: dict[str, int] = {}
    for vendor in raw.vendors:
        lost = {one for owner, one in gone if owner == vendor}
        untraced = lost - listed_loads(raw, vendor)
        if untraced or (lost and _has_lost_calls(raw, vendor)):
            found[vendor] = len(untraced or lost)
    return found


def _has_lost_calls(raw: Raw, vendor: str) -> bool:
    """Return True if a call was built of a record that is not in the raw file."""
    if not columns_of(raw.connection, CALLS):
        return False
    keys = [
        f"select '{vendor}:' || account || ':' || record_id as call_key"
        f' from "{vendor}".raw."{table}"'
        for owner, table in sorted(raw.graph.records & raw.stored)
        if owner == vendor
    ]
    there = " union all ".join(keys) or "select null::text as call_key where false"
    found = raw.connection.execute(
        f"select 1 from {CALLS} anti join ({there}) using (call_key)"
        f" where split_part(call_key, ':', 1) = '{vendor}' limit 1"
    )
    return found.fetchone() is not None


def kept_of(raw: Raw) -> frozenset[str]:
    """Return the vendors that calls were built of and that have no raw file now."""
    found = raw.connection.execute(f"select distinct vendor from {_LOADS}").fetchall()
    return frozenset(vendor for (vendor,) in found) - {*raw.vendors}


def recall(
    raw: Raw, loads: Loads, stamp: str, cause: str | None
) -> tuple[str | None, Loads]:
    """Return why all must be built again, if it must, and the loads not built yet.

    ``cause`` is the caller's reason for it.
    """
    execute = raw.connection.execute
    built = set(execute(f"from {_LOADS}").fetchall())
    new = {
        (vendor, table): frozenset(one for one in found if (vendor, one) not in built)
        for (vendor, table), found in loads.items()
    }
    gone = {vendor for vendor, _ in built - _pairs(loads) if vendor in raw.vendors}
    stamped = execute(f"select fingerprint from {_STAMP}").fetchall()
    back = {one for (one,) in execute(f"from {_KEPT}").fetchall()} & {*raw.vendors}
    if cause:
        return cause, new
    if not stamped:
        return "first build", new
    if stamped != [(stamp,)]:
        return "models or configuration changed", new
    if back:
        return f"the raw file of {min(back)} can be read again", new
    return (f"a load of {min(gone)} is gone from its raw file" if gone else None), new


def remember(
    connection: DuckDBPyConnection,
    loads: Loads,
    stamp: str,
    *,
    full: bool,
    kept: frozenset[str],
) -> None:
    """Store what was built from what; of ``kept`` vendors, what was known before."""
    if full:
        names = ", ".join(map(quoted, sorted(kept)))
        others = f" where vendor not in ({names})" if kept else ""
        connection.execute(f"delete from {_LOADS}{others}")
        connection.execute(f"delete from {_KEPT}")
        for vendor in sorted(kept):
            connection.execute(f"insert into {_KEPT} values (?)", [vendor])
    built = set(connection.execute(f"from {_LOADS}").fetchall())
    for vendor, one in sorted(_pairs(loads) - built):
        connection.execute(f"insert into {_LOADS} values (?, ?)", [vendor, one])
    connection.execute(f"delete from {_STAMP}")
    row = [stamp, LAYOUT, PROGRAM]
    connection.execute(f"insert into {_STAMP} values (?, ?, ?)", row)


def columns_of(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the columns and types of a stored table; none if it is not there."""
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() where"
        " database_name = 'build' and schema_name || '.' || table_name = ?",
        [table],
    )
    return dict(found.fetchall())


def take_over(
    connection: DuckDBPyConnection, table: str, built: str, kept: frozenset[str]
) -> str:
    """Return what to store in a table that is made anew: the vendors kept have no row.

    Those that have none in ``built`` keep the rows they had. Raises `HistoryError`
    when these do not fit.
    """
    before = columns_of(connection, table)
    now = dict(
        connection.execute(
            f"select column_name, column_type from (describe {built})"
        ).fetchall()
    )
    if not kept or not {"vendor", "call_key"} & {*now}:
        return f"from {built}"
    if before != now:
        raise HistoryError(
            f"{table} has other columns than before, so the calls of "
            f"{', '.join(sorted(kept))} cannot be kept as they are"
        )
    vendor = "vendor" if "vendor" in now else "split_part(call_key, ':', 1)"
    names = ", ".join(map(quoted, sorted(kept)))
    return (
        f"from {built} union all by name (from {table} where {vendor} in ({names}) and"
        f" {vendor} not in (select {vendor} from {built} where {vendor} is not null))"
    )


def drop_others(connection: DuckDBPyConnection, tables: Collection[str]) -> None:
    """Drop every table that is not one of ``tables``, as its model is gone."""
    stored = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables()"
        " where database_name = 'build'"
    ).fetchall()
    for (table,) in stored:
        if table not in {_LOADS, _STAMP, _KEPT, *tables}:
            connection.execute(f"drop table {table}")


def _pairs(loads: Loads) -> set[tuple[str, str]]:
    return {(vendor, one) for (vendor, _), found in loads.items() for one in found}
