"""What a built file remembers of the build that made it."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner import functions
from transforms.runner.graph import CALLS, Graph, config_kept
from transforms.runner.inputs import Loads, Raw
from transforms.runner.model import Model
from transforms.runner.statements import listed, quoted, statement
from transforms.runner.storage import Place, is_there, reading

TABLES = frozenset({"ops.built_loads", "ops.build_state", "ops.kept_vendors"})
"""The loads and the fingerprint of the last build, and the vendors whose calls a full
build kept as they were, without their raw file."""
LAYOUT = 4
"""Of the built tables, for whoever reads them: raise it when a table or column that
``pipelines/warehouse/queries/published`` asks for is new, or means something else."""
PROGRAM = f"callhouse {version('callhouse')}"


class HistoryError(Exception):
    """The calls of a vendor can neither be built nor kept as they are."""


@dataclass(frozen=True)
class Stamp:
    """What a file says of itself."""

    layout: int
    program: str
    """The version of the program that wrote it."""


def read_stamp(place: Place) -> Stamp | None:
    """Return what a built file says of itself; None: nothing, as older ones do."""
    with reading(place) as connection:
        return stamp_in(connection)


def stamp_in(connection: DuckDBPyConnection) -> Stamp | None:
    """Return what an open built file says of itself, as `read_stamp` does."""
    if not {"layout", "program"} <= columns_of(connection, "ops.build_state").keys():
        return None
    row = connection.execute("select layout, program from ops.build_state").fetchone()
    return None if row is None else Stamp(*row)


def built_loads(connection: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return vendor and id of the loads that an open built file was built from."""
    if not columns_of(connection, "ops.built_loads"):
        return []
    return connection.execute("from ops.built_loads").fetchall()


def remove_other(
    place: Place,
    readable: Collection[str],
    unreadable: Collection[str],
    *,
    forget_history: bool,
) -> None:
    """Remove a built file of another layout: all in it can be built anew.

    Raises `HistoryError` where it has calls of a vendor that is not one of
    ``readable``, whose raw files can be read; with ``forget_history``, where it has
    calls of one of ``unreadable``, whose raw file is there.
    """
    if not is_there(place):
        return
    with reading(place) as connection:
        stamp, vendors = stamp_in(connection), set[str]()
        if "vendor" in columns_of(connection, CALLS):
            rows = connection.table(CALLS).project("vendor").distinct().fetchall()
            vendors = {vendor for (vendor,) in rows}
    if stamp is not None and stamp.layout == LAYOUT:
        return
    lost = vendors & {*unreadable} if forget_history else vendors - {*readable}
    if lost:
        raise HistoryError(
            f"{place} has another layout, so the calls of "
            f"{', '.join(sorted(lost))} cannot be kept as they are; restore what is "
            "missing in raw/, or give up calls that are in no raw file with: callhouse "
            "transform --forget-history"
        )
    if isinstance(place, Path):
        place.unlink()
        place.with_name(f"{place.name}.wal").unlink(missing_ok=True)


def fingerprint(graph: Graph, config: Mapping[str, pa.Table]) -> str:
    """Tell apart builds that would make different rows of the same loads.

    Left out are the clock, ``config.run.now``, and the rows that only tables use that
    are made anew by every build.
    """
    made_by = f"{graph.digest} DuckDB {duckdb.__version__} {functions.version()}"
    digest = hashlib.sha256(made_by.encode())
    used = config_kept(graph)
    for name, table in sorted(config.items()):
        types = [(column.name, str(column.type)) for column in table.schema]
        fixed = [c for c in table.column_names if (name, c) != ("run", "now")]
        rows = table.select(fixed).to_pylist() if name in used else []
        digest.update(f"{name} {types} {rows}\n".encode())
    return digest.hexdigest()


def prepare(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Make the schemas and the tables of this module; drop the views.

    These are former names of tables, and are made again when all tables stand. A table
    that is still stored under a former name is copied: `take_over` reads the new one.
    Tables of another layout are dropped: only a lake has them still, where they are to
    be seen until the commit.
    """
    stamp = stamp_in(connection)
    if stamp is not None and stamp.layout != LAYOUT:
        drop_tables(connection)
    for schema in sorted({"ops", *(one.schema for one in graph.models)} - {"staging"}):
        connection.execute(f"create schema if not exists {schema}")
    for (view,) in connection.execute(statement("built_views")).fetchall():
        connection.execute(f"drop view {view}")
    for model in graph.models:
        for former in model.former_names:
            if columns_of(connection, former):
                sql = f"create table if not exists {model.table} as from {former}"
                connection.execute(sql)
    connection.execute(statement("state_tables"))


def missing_loads(raw: Raw) -> dict[str, int]:
    """Return how many loads that were built a vendor's raw file has no trace of.

    If later loads wrote all rows of a load again, as after an erasure, no row has its
    id any more, but the list of loads has: its calls are there, it is not missing.
    """
    execute = raw.connection.execute
    lost = execute(statement("lost_loads", vendors=listed(raw.vendors))).fetchall()
    return {
        vendor: untraced or loads
        for vendor, loads, untraced in lost
        if untraced or _has_lost_calls(raw, vendor)
    }


def _has_lost_calls(raw: Raw, vendor: str) -> bool:
    """Return True if a call was built of a record that is not in the raw file."""
    if not columns_of(raw.connection, CALLS):
        return False
    tables = {one for one in raw.graph.records if one[0] == vendor}
    sql = statement("lost_calls", stored=raw.versions(tables), vendor=quoted(vendor))
    return raw.connection.execute(sql).fetchone() is not None


def vendors_without_file(raw: Raw) -> frozenset[str]:
    """Return the vendors that calls were built of and that have no raw file now."""
    built = built_loads(raw.connection)
    return frozenset(vendor for vendor, _ in built) - {*raw.vendors}


def compare(raw: Raw, stamp: str, cause: str | None) -> tuple[str | None, Loads]:
    """Return why all must be built again, if it must, and the loads not built yet.

    ``cause`` is the caller's reason for it.
    """
    execute = raw.connection.execute
    new = frozenset(execute(statement("new_loads")).fetchall())
    sql = statement("compare", vendors=listed(raw.vendors))
    ((last, back, gone),) = execute(sql).fetchall()
    if not cause and last is None:
        cause = "first build"
    elif not cause and last != stamp:
        cause = "models or configuration changed"
    elif not cause and back:
        cause = f"the raw file of {back} can be read again"
    elif not cause and gone:
        cause = f"a load of {gone} is gone from its raw file"
    return cause, new


def remember(
    connection: DuckDBPyConnection, stamp: str, *, full: bool, kept: frozenset[str]
) -> None:
    """Store what was built from what; of ``kept`` vendors, what was known before."""
    if full:
        connection.execute(statement("remember_full", kept=listed(kept)))
    parts = {"fingerprint": quoted(stamp), "program": quoted(PROGRAM)}
    connection.execute(statement("remember", layout=str(LAYOUT), **parts))


def columns_of(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the columns and types of a stored table; none if it is not there."""
    sql = statement("columns", table=quoted(table))
    return dict(connection.execute(sql).fetchall())


def replaced(
    connection: DuckDBPyConnection, model: Model, built: str, kept: frozenset[str]
) -> str:
    """Return which rows ``built`` replaces in a table that is made anew.

    It is the condition for what `take_over` does, in a table with equal columns.
    """
    vendor = _vendor([column.name for column in model.columns])
    if not kept or not vendor:
        return "true"
    sql = statement("vendors_of", table=built, vendor=vendor)
    absent = kept - {name for (name,) in connection.execute(sql).fetchall()}
    return f"coalesce({vendor} not in ({listed(absent)}), true)"


def take_over(
    connection: DuckDBPyConnection, table: str, built: str, kept: frozenset[str]
) -> str:
    """Return what to store in a table that is made anew: the vendors kept have no row.

    Those that have none in ``built`` keep the rows they had. Raises `HistoryError`
    when these do not fit.
    """
    if not kept:
        return f"from {built}"
    before = columns_of(connection, table)
    rows = connection.sql(f"from {built}")
    now = dict(zip(rows.columns, map(str, rows.types), strict=True))
    if not (vendor := _vendor(now)):
        return f"from {built}"
    if before != now:
        raise HistoryError(
            f"{table} has other columns than before, so the calls of "
            f"{', '.join(sorted(kept))} cannot be kept as they are"
        )
    names = {"vendor": vendor, "kept": listed(kept)}
    return statement("take_over", built=built, table=table, **names)


def _vendor(columns: Collection[str]) -> str | None:
    """Return how a row says its vendor; None if it has none."""
    if "vendor" in columns:
        return "vendor"
    return "split_part(call_key, ':', 1)" if "call_key" in columns else None


def drop_others(connection: DuckDBPyConnection, tables: Collection[str]) -> None:
    """Drop every table that is not one of ``tables``, as its model is gone."""
    drop_tables(connection, but={*TABLES, *tables})


def drop_tables(
    connection: DuckDBPyConnection, *, but: Collection[str] = frozenset()
) -> None:
    """Drop all tables except some."""
    for (table,) in connection.execute(statement("built_tables")).fetchall():
        if table not in but:
            connection.execute(f"drop table {table}")
