"""Copy all tables of a file or a lake into another one, and prove them equal."""

from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from pipelines.warehouse.opening import (
    RAW_FILE,
    ROW_GROUP,
    FileError,
    FileKind,
    attach,
    is_present,
    log_of,
    private,
    refusing,
)
from pipelines.warehouse.publish import flush
from pipelines.warehouse.queries import query
from pipelines.warehouse.rewriting import COPYING
from transforms.runner.statements import quoted
from transforms.runner.storage import STORAGE, Place, connect, settings_for

Sums: TypeAlias = dict[str, tuple[int, int, int]]
"""By table, how many rows it has, and two sums over hashes of each row."""


def copy_place(
    source: Place, target: Place, kind: FileKind, *, next_load: int | None = None
) -> tuple[int, bool]:
    """Replace what is in a place by what is in another one, wholly or not at all.

    Return how many rows there are, and whether they were copied: not if they were equal
    before. ``next_load`` is a number that no load has; None: there are no loads. Raises
    `FileError`; the target is then what it was.
    """
    settings: dict[str, Any] = {**settings_for(source), **settings_for(target)}
    settings |= {**STORAGE, "memory_limit": COPYING, "threads": 1}
    with private(), refusing(source, kind), connect(settings=settings) as connection:
        connection.execute("set TimeZone = 'UTC'")
        attach(connection, source, "source", kind)
        found = sums_of(connection, "source")
        rows = sum(count for count, *_ in found.values())
        if is_present(target):
            attach(connection, target, "before", kind)
            if sums_of(connection, "before") == found:
                return rows, False
            connection.execute("detach before")
        if isinstance(target, Path):
            _into_file(connection, target, kind, next_load)
        else:
            target.attach(connection, "target", read_only=False)
            connection.begin()
            _copy_equally(connection, f"{target}")
            target.sign(connection, "target")
            if next_load is not None:
                target.start_loads(next_load)
            connection.commit()
    return rows, True


def _into_file(
    connection: duckdb.DuckDBPyConnection,
    target: Path,
    kind: FileKind,
    next_load: int | None,
) -> None:
    incoming = target.with_name(f"{target.name}.incoming")
    for old in (incoming, log_of(incoming)):
        old.unlink(missing_ok=True)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    how = f" (row_group_size {ROW_GROUP})" if kind is RAW_FILE else ""
    connection.execute(f"attach {quoted(str(incoming))} as target{how}")
    connection.begin()
    _copy_equally(connection, f"{target}")
    if next_load is not None:
        sql = query("copying/start_loads").format(next_load=next_load)
        ((statement,),) = connection.execute(sql).fetchall()
        connection.execute(statement)
    connection.commit()
    connection.execute("checkpoint target")
    connection.execute("use memory; detach target")
    flush(incoming)
    log_of(target).unlink(missing_ok=True)
    incoming.replace(target)
    flush(target.parent)


def _copy_equally(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    copy_all(connection, "source", "target")
    if sums_of(connection, "source") != sums_of(connection, "target"):
        raise FileError(f"the copy into {name} is not equal, so it was not kept")


def copy_all(connection: duckdb.DuckDBPyConnection, source: str, target: str) -> None:
    """Make all tables and views of a database in another one, which is attached too.

    Types, comments and rows are the same. What the other one had is dropped. The caller
    has a transaction open.
    """
    connection.execute(f"use {target}")
    for sql in (
        query("copying/drop_all").format(target=target),
        query("copying/copy").format(source=source),
    ):
        for (statement,) in connection.execute(sql).fetchall():
            connection.execute(statement)


def sums_of(connection: duckdb.DuckDBPyConnection, source: str) -> Sums:
    """Return what tells apart the contents of two databases, table by table."""
    sql = query("copying/sums").format(source=source)
    ((statement,),) = connection.execute(sql).fetchall()
    if statement is None:
        return {}
    return {
        place: (rows, total, parity)
        for place, rows, total, parity in connection.execute(statement).fetchall()
    }
