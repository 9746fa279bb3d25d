"""How DuckDB is opened: which DuckDB can read its files, and that it loads no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

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
