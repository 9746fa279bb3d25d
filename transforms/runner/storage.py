"""How DuckDB is opened: which DuckDB can read its files, and that it loads no code."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

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


class Lake(Protocol):
    """Tables that are in no DuckDB file: ``pipelines/warehouse/lake.py`` has them."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of a DuckDB that is to attach it."""

    def exists(self) -> bool:
        """Return True if it has tables."""

    def attach(
        self, connection: duckdb.DuckDBPyConnection, name: str, *, read_only: bool
    ) -> None:
        """Attach it as a database."""

    def opened(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open it to read: all queries see the tables as they are now."""

    def next_load(self) -> int:
        """Return a number for the next load into it, greater than all before."""

    def start_loads(self, number: int) -> None:
        """Let the next load have at least this number."""

    def refuse_lost(self) -> None:
        """Raise an error if this process may not commit to it, or no longer."""

    def leased(self) -> AbstractContextManager[None]:
        """Let this process commit to it, which it may be allowed already."""

    def clean(self, keep: int) -> None:
        """Forget all but the last ``keep`` older states, and what they alone need."""

    def search(self, pattern: str) -> int:
        """Return how many files it has; raise an error if a value has a pattern."""

    def forget(self) -> None:
        """Free it of every value that its newest tables do not have."""

    def sign(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Mark the open transaction as one whose tables can be gone back to."""

    def trouble(self, error: Exception) -> str:
        """Return why it cannot be used, as a sentence."""


Place: TypeAlias = Path | Lake
"""Where a database is: in a file, or in a lake."""


def is_there(place: Place) -> bool:
    """Return True if a file is there and not empty, or if a lake has tables."""
    if isinstance(place, Path):
        return place.exists() and place.stat().st_size > 0
    return place.exists()


def settings_for(place: Place) -> dict[str, Any]:
    """Return the settings of a DuckDB in memory that is to attach a place."""
    if isinstance(place, Path):
        return {"temp_directory": f"{place}.tmp"}
    return {**place.settings}


def attach(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    name: str,
    *,
    read_only: bool = False,
) -> None:
    """Attach a file or a lake as a database of this name."""
    if isinstance(place, Path):
        how = " (read_only)" if read_only else ""
        connection.execute(f"attach {quoted(str(place))} as {name}{how}")
    else:
        place.attach(connection, name, read_only=read_only)


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
def reading(place: Place) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file or a lake as the database in use, to read."""
    if not isinstance(place, Path):
        with place.opened() as connection:
            yield connection
        return
    with in_memory(place.with_name(f"{place.name}.tmp")) as connection:
        attach(connection, place, "opened", read_only=True)
        connection.execute("use opened")
        yield connection
        connection.execute("use memory")
        connection.execute("detach opened")
