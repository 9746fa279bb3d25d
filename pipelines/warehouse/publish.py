"""From the private build file to the file analysts open, in one rename.

A reader that has the old file open finishes on it; the next one opens the new run's.
Nobody ever sees a file that is being written.

DuckDB opens a file for writing by default, and what a client commits stands
in a log beside the file, under its name, until a checkpoint. A file that replaces
another under one name would be given the log of the other, so no two published files
share a name: each has a folder of its own, and ``calls.duckdb`` is a symbolic link to
the newest. DuckDB from 1.5 on follows the link before it names the log. Older ones
name it after the link, where they can make none: ``calls.duckdb.wal`` is a symbolic
link into a folder that does not exist. They read as ever, and their commits fail.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    InUseError,
    Purpose,
    opened,
)
from pipelines.warehouse.paths import Warehouse

NO_LOG = Path("no-log-of-a-published-file", "see-the-README")
"""Where the log of an old client would be: in a folder that does not exist."""


class PublishError(Exception):
    """The file could not be put in place, or is not what was built."""


def publish(
    build_file: Path,
    warehouse: Warehouse,
    now: datetime,
    keep: int,
    *,
    mode: int = 0o640,
) -> Path:
    """Copy the closed build file, flush it to the disk, and put it in place.

    The last ``keep`` published files stay in ``snapshots/``: they are the backups.
    ``mode`` says who may read them.
    Raises `PublishError` when the copy is not what was built, which is then not
    published, or when ``calls.duckdb`` is not what was put in place.
    """
    published = warehouse.published
    with _failures(published):
        before = published.resolve()
        own = warehouse.published_folder / f"{now:%Y%m%dT%H%M%SZ}-{token_hex(4)}"
        incoming = own / published.name
        _copy(build_file, incoming, mode)
        built = _contents(build_file, BUILD_FILE)
        if _contents(incoming, PUBLISHED_FILE) != built:
            raise PublishError(
                f"the copy of {build_file} is not what was built; {published} is still "
                "the file of the last run; look at the disk, and run: "
                "callhouse transform"
            )
        _keep(before, warehouse.snapshots, now, keep, mode)
        _drop_older(warehouse.published_folder, {own.name, before.parent.name})
        _refuse_logs(published)
        _point(published, incoming.relative_to(warehouse.root))
        _flush(warehouse.root)
        # A client that opened it in this moment for writing lets nobody else in.
        with suppress(InUseError):
            found = _contents(published, PUBLISHED_FILE)
            if not published.samefile(incoming) or found != built:
                raise PublishError(
                    f"{published} is not what was built: another program changed it "
                    "as it was put in place; run: callhouse transform"
                )
    return published


def folder_mode(mode: int) -> int:
    """Return the mode of a folder whose files have ``mode``: who reads may enter."""
    return mode | (mode & 0o444) >> 2


def _copy(build_file: Path, incoming: Path, mode: int) -> None:
    """Copy into a folder that is nobody else's until the copy is whole."""
    own, folder = incoming.parent, incoming.parent.parent
    folder.mkdir(exist_ok=True)
    own.mkdir(mode=0o700)
    # Made here and now, or not at all: a link would lead the copy elsewhere.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    os.close(os.open(incoming, flags, 0o600))
    shutil.copyfile(build_file, incoming)
    incoming.chmod(mode)
    for path in (own, folder):
        path.chmod(folder_mode(mode))
    for path in (incoming, own, folder):
        _flush(path)


def _contents(path: Path, purpose: Purpose) -> dict[str, int]:
    """Return how many rows each table has."""
    with opened(path, purpose) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        return {name: len(connection.table(name)) for (name,) in tables}


def _refuse_logs(published: Path) -> None:
    """Leave no log under the name of the link, and nobody room to make one."""
    log = published.with_name(f"{published.name}.wal")
    if log.is_dir() and not log.is_symlink():
        shutil.rmtree(log)
    _point(log, NO_LOG)


def _point(link: Path, target: Path) -> None:
    """Make a symbolic link in the place of whatever has its name."""
    incoming = link.with_name(f"{link.name}.incoming")
    incoming.unlink(missing_ok=True)
    incoming.symlink_to(target)
    incoming.replace(link)


def _keep(before: Path, snapshots: Path, now: datetime, keep: int, mode: int) -> None:
    """Give the file that is about to be replaced a second name, and drop old ones."""
    if before.exists() and keep > 0:
        snapshots.mkdir(exist_ok=True)
        snapshots.chmod(folder_mode(mode))
        name = snapshots / f"calls-until-{now:%Y%m%dT%H%M%S}Z.duckdb"
        _drop(name)
        name.hardlink_to(before)
    for old in sorted(snapshots.glob("calls-until-*.duckdb"))[: -keep or None]:
        _drop(old)


def _drop(snapshot: Path) -> None:
    """Delete a snapshot and what a client left beside it under its name."""
    snapshot.unlink(missing_ok=True)
    snapshot.with_name(f"{snapshot.name}.wal").unlink(missing_ok=True)


def _drop_older(folder: Path, names: set[str]) -> None:
    """Delete all published files except those of ``names``.

    The last one stays: a client may have followed the link to it, and open it now.
    """
    for old in folder.iterdir():
        if old.is_dir() and old.name not in names:
            shutil.rmtree(old)


@contextmanager
def _failures(published: Path) -> Iterator[None]:
    """Turn what the file system refuses into a sentence."""
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{published} could not be replaced: {error.strerror} "
            f"({error.filename}); mend that, and run: callhouse transform"
        ) from None


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
