"""``callhouse backup``: a consistent copy of all that a warehouse needs.

Each raw file is copied under its lock, with its write-ahead log applied to the copy.
The published file is copied before the raw files, so that these have every load from
which its tables were built. The build file is not copied: the next build makes it from
the published file.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pipelines.config.lake import DUMP, refuse_on_lake
from pipelines.config.model import Config
from pipelines.warehouse.locks import BUILD_TIMEOUT, FILE_TIMEOUT, in_turn, only_one
from pipelines.warehouse.manifest import (
    FORMAT,
    Manifest,
    described,
    write_manifest,
)
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    FileKind,
    is_present,
    log_of,
    private,
    read,
    refuse_damaged,
    refuse_written,
    writing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import flush
from transforms.runner.build_state import PROGRAM

LOCK = ".lock"
"""The lock of a folder of backups: one backup at a time is written into it."""
INCOMING = ".incoming"
"""The ending of a backup's name until it is complete."""


def back_up(config: Config, now: datetime, folder: Path) -> tuple[Path, Manifest]:
    """Copy the warehouse into a new folder in ``folder``, named after the time.

    Return the new folder and its manifest. Raises `FileError` if a file is damaged or
    another program writes it, and `LockedError` if a lock is not free in time.
    """
    warehouse = config.warehouse
    refuse_on_lake(warehouse, "callhouse backup", DUMP)
    _refuse_place(warehouse, folder)
    raw_files = sorted(filter(is_present, warehouse.raw_folder.glob("*.duckdb")))
    if not raw_files and not is_present(warehouse.published):
        raise FileError(f"there is nothing to back up in {warehouse.root.absolute()}")
    with private():
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder / LOCK, f"a backup into {folder}"):
            return _complete_or_none(warehouse, raw_files, now, folder)


def _complete_or_none(
    warehouse: Warehouse, raw_files: list[Path], now: datetime, folder: Path
) -> tuple[Path, Manifest]:
    for left in folder.glob(f"*{INCOMING}"):  # by a backup that was killed
        shutil.rmtree(left)
    place = folder / f"{now:%Y%m%dT%H%M%SZ}"
    if place.exists():
        raise FileError(f"{place} exists already; run the same command again")
    with _incoming(place) as incoming:
        own = Warehouse(incoming)
        _copy_published(warehouse, own.published)
        _copy_plain(warehouse.origin, own.origin)
        loads = {one.stem: _copy_raw(warehouse, one, own) for one in raw_files}
        with in_turn(warehouse.journal_lock, shared=True):
            _copy_plain(warehouse.journal, own.journal)
        # Last: a list of what to erase may have more than the raw files know.
        for one in sorted(warehouse.privacy.rglob("*")):
            if one.is_file():
                _copy_plain(one, incoming / one.relative_to(warehouse.root))
        files = [one for one in sorted(incoming.rglob("*")) if one.is_file()]
        entries = tuple(described(one, incoming) for one in files)
        manifest = Manifest(FORMAT, now, PROGRAM, loads, entries)
        write_manifest(incoming, manifest)
        for one in (*incoming.rglob("*"), incoming):
            flush(one)
    flush(folder)
    return place, manifest


@contextmanager
def _incoming(place: Path) -> Iterator[Path]:
    """Yield a new folder, and give it the name ``place`` if nothing failed."""
    incoming = place.with_name(place.name + INCOMING)
    incoming.mkdir(mode=0o700)
    try:
        yield incoming
        incoming.rename(place)
    except BaseException:
        shutil.rmtree(incoming, ignore_errors=True)
        raise


def _copy_raw(warehouse: Warehouse, raw: Path, own: Warehouse) -> int:
    """Copy a raw file as it is at one moment, and return how many loads it has."""
    copy = own.raw_file(raw.stem)
    copy.parent.mkdir(exist_ok=True)
    lock = warehouse.raw_lock(raw.stem)
    with in_turn(lock, shared=True, timeout=FILE_TIMEOUT):
        refuse_written(raw, RAW_FILE)
        shutil.copyfile(raw, copy)
        if log_of(raw).exists():  # a load was killed
            shutil.copyfile(log_of(raw), log_of(copy))
    if log_of(copy).exists():
        with _as(raw, copy), writing(copy) as connection:
            connection.execute("checkpoint")
        log_of(copy).unlink(missing_ok=True)
    return _checked(raw, copy, RAW_FILE, "raw._dlt_loads")


def _copy_published(warehouse: Warehouse, copy: Path) -> None:
    """Copy what analysts read, without a log that a client left beside it."""
    published = warehouse.published
    with in_turn(warehouse.build_lock, shared=True, timeout=BUILD_TIMEOUT):
        if not is_present(published):
            return
        refuse_written(published, PUBLISHED_FILE)
        shutil.copyfile(published, copy)
    _checked(published, copy, PUBLISHED_FILE, "")


def _checked(original: Path, copy: Path, file_kind: FileKind, table: str) -> int:
    """Read a copy completely, and return the number of rows of a table of it."""
    with _as(original, copy):
        refuse_damaged(copy, file_kind)
        with read(copy, file_kind) as connection:
            names = connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables()"
            ).fetchall()
            return len(connection.table(table)) if (table,) in names else 0


@contextmanager
def _as(original: Path, copy: Path) -> Iterator[None]:
    """Name the original file in an error about its copy, which will be deleted."""
    try:
        yield
    except FileError as error:
        sentence = str(error).replace(str(copy), str(original))
        raise FileError(f"{sentence}; no backup was made") from None


def _copy_plain(path: Path, copy: Path) -> None:
    if path.is_file():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _refuse_place(warehouse: Warehouse, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is not a folder; name one for backups")
    if folder.resolve().is_relative_to(warehouse.root.resolve()):
        raise FileError(
            f"{folder} is in the warehouse itself, and would be lost with it; name a "
            "folder elsewhere, best on another disk"
        )
