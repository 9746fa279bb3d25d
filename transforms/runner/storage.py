"""How DuckDB is opened: which DuckDB can read its files, and that it loads no code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from transforms.runner.statements import quoted

STORAGE = {"storage_compatibility_version": "v0.10.2"}
"""Settings with which a new file has the storage that DuckDB 0.10.2 to 2.0 read.

It is what DuckDB 1.5 writes by itself; 2.0 would write one that 1.5 refuses. A file
that is there already keeps its own.
"""
NO_EXTENSIONS = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Settings with which no query downloads code or loads it from the home folder."""


NO_PROGRESS = "set enable_progress_bar = false"
"""For a connection alone: a cursor of it needs it too."""


def connect(
    file: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    read_only: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open a file, or a database in memory, without extensions but those built in.

    ``settings`` are further ones of DuckDB. Nothing shows how far a query is: where
    DuckDB takes the program for an interactive one, as under ``python -c``, its bar
    would stand on stdout among what a command prints.
    """
    config: dict[str, Any] = {**NO_EXTENSIONS, **(settings or {})}
    name = ":memory:" if file is None else str(file)
    connection = duckdb.connect(name, read_only=read_only, config=config)
    connection.execute(NO_PROGRESS)
    return connection


_IDLE: list[duckdb.DuckDBPyConnection] = []
"""Databases in memory that nobody uses. To start one takes 30 ms of CPU time, to attach
a file to it 8, and a run opens its files dozens of times."""


@contextmanager
def in_memory(
    temporary: Path | None = None, settings: Mapping[str, Any] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to an empty database in memory that nobody else uses.

    What is too large for memory waits in the folder ``temporary``. ``settings`` are
    DuckDB's, until the end. Whoever attaches files or makes anything but temporary
    tables takes that away again, or leaves with an error.
    """
    try:
        database = _IDLE.pop()  # at once: threads may do this side by side
    except IndexError:
        database = connect()
    try:
        folder = "" if temporary is None else str(temporary)
        changed = {"temp_directory": folder, **(settings or {})}
        for name, value in changed.items():
            database.execute(f"set global {name} = $1", [value])
        with database.cursor() as connection:
            connection.execute(NO_PROGRESS)
            yield connection
    except BaseException:
        database.close()
        raise
    try:
        for name in changed:
            database.execute(f"reset global {name}")
    except duckdb.NotImplementedException:
        database.close()  # it takes no other folder once it has used one
    else:
        _IDLE.append(database)


@contextmanager
def reading(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file read-only, as ``connect`` does, in a database that is running."""
    with in_memory(file.with_name(f"{file.name}.tmp")) as connection:
        connection.execute(f"attach {quoted(str(file))} as opened (read_only)")
        connection.execute("use opened")
        yield connection
        connection.execute("use memory")
        connection.execute("detach opened")
