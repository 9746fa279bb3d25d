"""Migrate raw files of an older version, and refuse files of a newer one.

A raw file cannot be made again, so each change of its tables is a SQL file in
``warehouse/migrations``, and the raw file has the number of those that were applied:
its layout. To add a column, add a file there. A new table needs none: the loader makes
it. Built files have a layout as well, and are built again if it is another.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from pathlib import Path

import duckdb

from pipelines.warehouse.locks import in_turn, tell
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    is_present,
    make_way,
    private,
    read,
    refuse_truncated,
    refusing,
    writing,
)
from pipelines.warehouse.paths import Warehouse
from transforms.runner import build_state
from transforms.runner.build_state import PROGRAM, Stamp
from transforms.runner.storage import Place, reading

STEPS = sorted(
    one.name
    for one in files("pipelines.warehouse.migrations").iterdir()
    if one.name[:1].isdigit()
)
LAYOUT = len(STEPS)
"""The layout of the raw files that this program writes."""
UNSTAMPED = Stamp(0, "an older callhouse")
_OURS: set[tuple[Place, int]] = set()
"""Files, by path and inode, that are known to have our layout: a run checks often."""


class LayoutError(FileError):
    """A file is of another version; the sentence names it and the remedy."""


def migrate(raw_file: Place, lock: Path, *, create: bool = False) -> None:
    """Bring a raw file to our layout in one transaction, when nobody else uses it.

    ``lock`` is the lock of the file. With ``create``, a file that does not exist is
    made, with its layout in it. Raises `LayoutError` for a file of a newer program.
    """
    if not isinstance(raw_file, Path) and _identity(raw_file) in _OURS:
        return
    is_there = is_present(raw_file)
    if not is_there and not create:
        return
    if is_there and _identity(raw_file) in _OURS:
        return
    found, lacks = UNSTAMPED, ""
    if is_there:
        with in_turn(lock, shared=True):
            found, lacks = inspect(raw_file)
    if found.layout == LAYOUT and not lacks:
        _OURS.add(_identity(raw_file))
        return
    _refuse_newer(raw_file, found)
    is_file = isinstance(raw_file, Path)
    if is_there and isinstance(raw_file, Path) and not os.access(raw_file, os.W_OK):
        raise LayoutError(
            f"{raw_file} has layout {found.layout}, written by "
            f"{found.program}, and must be brought to layout {LAYOUT}; run: callhouse "
            "transform, as the user who may write it"
        )
    leased = nullcontext() if isinstance(raw_file, Path) else raw_file.leased()
    with in_turn(lock), private(), leased:
        if isinstance(raw_file, Path) and not is_present(raw_file):
            make_way(raw_file)
        with writing(raw_file) as connection, refusing(raw_file, RAW_FILE):
            # Another process may have been quicker.
            found = _stamp_in(connection) or UNSTAMPED
            _take_steps(connection, found, has_numbers=is_file)
            if lacks := _lacking(connection):
                connection.execute(_sql("helpers/mend.sql"))
                tell(
                    f"{raw_file} lacks {lacks}; it is made anew, and its "
                    "windows are read again: callhouse status names the days"
                )


def refuse_other_tables(published: Place) -> None:
    """Raise `LayoutError` if a published file was built with another layout."""
    with read(published, PUBLISHED_FILE) as connection:
        found = build_state.stamp_in(connection)
    if found is None or found.layout < build_state.LAYOUT:
        written = UNSTAMPED if found is None else found
        raise LayoutError(
            f"{published} was built by {written.program} and has layout "
            f"{written.layout}, not {build_state.LAYOUT}; run: callhouse transform"
        )
    if found.layout > build_state.LAYOUT:
        raise LayoutError(_newer(published, found, build_state.LAYOUT))


def _identity(raw_file: Place) -> tuple[Place, int]:
    """Return what tells a file from another one that takes its place."""
    return raw_file, raw_file.stat().st_ino if isinstance(raw_file, Path) else 0


def _take_steps(
    connection: duckdb.DuckDBPyConnection, found: Stamp, *, has_numbers: bool
) -> None:
    if found.layout >= LAYOUT:
        return
    connection.execute("set TimeZone = 'UTC'")
    connection.begin()
    # A first load that was killed may have left a file without its tables.
    if _has(connection, "raw", "load_windows"):
        for step in STEPS[found.layout :]:
            connection.execute(_sql(step))
    connection.execute("set variable layout = $1", [LAYOUT])
    connection.execute("set variable program = $1", [PROGRAM])
    connection.execute(_sql("helpers/stamp.sql"))
    if has_numbers:
        connection.execute(_sql("helpers/loads.sql"))
    connection.commit()


def inspect(raw_file: Place) -> tuple[Stamp, str]:
    """Return the layout of a raw file, and the names of the tables it lacks, or ""."""
    with refusing(raw_file, RAW_FILE), reading(raw_file) as connection:
        if isinstance(raw_file, Path):
            refuse_truncated(connection, raw_file, RAW_FILE)
        return _stamp_in(connection) or UNSTAMPED, _lacking(connection)


def _lacking(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the names of tables that a load made and that are missing, or "".

    dlt would not make them again, because its own record says that they exist.
    """
    if not _has(connection, "raw", "load_windows") and not _has(
        connection, "raw", "_dlt_version"
    ):
        return ""
    if not _has(connection, "raw", "_dlt_loads"):
        return "raw._dlt_loads"
    if not _has(connection, "raw", "_dlt_version"):
        return ""  # the loader makes this one by itself, and then all others
    rows = connection.execute(_sql("helpers/lacking.sql")).fetchall()
    return ", ".join(f"raw.{name}" for (name,) in rows)


def _stamp_in(connection: duckdb.DuckDBPyConnection) -> Stamp | None:
    if not _has(connection, "callhouse", "layout"):
        return None
    row = connection.execute(_sql("helpers/found.sql")).fetchone()
    return None if row is None else Stamp(*row)


def _has(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    found = connection.execute(_sql("helpers/has.sql"), [schema, table]).fetchone()
    return found is not None


def _refuse_newer(file: Place, found: Stamp) -> None:
    if found.layout > LAYOUT:
        raise LayoutError(_newer(file, found, LAYOUT))


def _newer(file: Place, found: Stamp, ours: int) -> str:
    return (
        f"{file} has layout {found.layout}, written by {found.program}, and this is "
        f"{PROGRAM}, which knows layouts up to {ours}; use the newer version, nothing "
        "was changed here"
    )


def _sql(name: str) -> str:
    return files("pipelines.warehouse.migrations").joinpath(name).read_text("utf-8")


@contextmanager
def locked_raw_file(warehouse: Warehouse, vendor: str) -> Iterator[Place]:
    """Wait for a vendor's raw file and yield it; nobody writes it meanwhile.

    It has the layout of this program. Raises `LayoutError` for a file of a newer one.
    """
    raw, lock = warehouse.raw(vendor), warehouse.raw_lock(vendor)
    migrate(raw, lock)
    with in_turn(lock, shared=True):
        yield raw
