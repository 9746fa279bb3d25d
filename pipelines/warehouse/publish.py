"""Publish the build file: copy it, and replace the file of the analysts in one rename.

A reader that has the old file open keeps it; the next reader opens the new one. Nobody
ever sees a file that is being written.

DuckDB opens a file for writing by default, and what a client commits is in a log beside
the file, under its name, until a checkpoint. If a new file replaced another one of the
same name, DuckDB would apply the old log to it. So no two published files share a
name: each has a folder of its own, and ``calls.duckdb`` is a symbolic link to the
newest. DuckDB from 1.5 on follows the link before it names the log. Older versions
name the log after the link. They cannot make it, because ``calls.duckdb.wal`` is a
symbolic link into a folder that does not exist: they can read, and a commit fails.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from pipelines.warehouse.locks import tell
from pipelines.warehouse.number_protection import (
    PLAIN,
    NumberProtection,
    copy_protected,
    shown_in,
)
from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    FileKind,
    InUseError,
    opened,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.queries import query
from transforms.runner.storage import Place

NO_LOG = Path("no-log-of-a-published-file", "see-the-README")
"""The target of the link ``calls.duckdb.wal``: in a folder that does not exist."""


SHOWN = NumberProtection()
"""Phone numbers stay plain."""


class PublishError(Exception):
    """The file could not be published, or is not equal to the build file."""


def publish(
    build_file: Path,
    warehouse: Warehouse,
    now: datetime,
    keep: int,
    *,
    mode: int = 0o640,
    numbers: NumberProtection = SHOWN,
) -> Path:
    """Copy the closed build file, flush it to the disk, and let the link point to it.

    The last ``keep`` published files stay in ``snapshots/`` as backups. ``mode`` is the
    mode of all these files. ``numbers`` says what the copy shows of phone numbers;
    older files that show them in another way are deleted. Raises `PublishError` if the
    copy differs from the build file, which is then not published, or if another program
    changed what is published.
    """
    published = warehouse.published
    with _failures(published):
        before = published.resolve()
        own = warehouse.published_folder / f"{now:%Y%m%dT%H%M%SZ}-{token_hex(4)}"
        incoming = own / published.name
        _copy(build_file, incoming, mode, numbers)
        built = row_counts(build_file, BUILD_FILE)
        if row_counts(incoming, PUBLISHED_FILE) != built:
            raise PublishError(
                f"the copy of {build_file} is not what was built; {published} is still "
                "the file of the last run; look at the disk, and run: "
                "callhouse transform"
            )
        shown = shown_in(incoming)
        is_same = shown_in(before) == shown
        _drop_others(warehouse.snapshots, shown)
        _keep(before if is_same else None, warehouse.snapshots, now, keep, mode)
        drop_older(warehouse.published_folder, {own.name, before.parent.name})
        _refuse_logs(published)
        _point(published, incoming.relative_to(warehouse.root))
        if not is_same:
            drop_older(warehouse.published_folder, {own.name})
        flush(warehouse.root)
        # A client that opens it for writing in this moment locks it.
        with suppress(InUseError):
            found = row_counts(published, PUBLISHED_FILE)
            if not published.samefile(incoming) or found != built:
                raise PublishError(
                    f"{published} is not what was built: another program changed it "
                    "as it was put in place; run: callhouse transform"
                )
    return published


def snapshots_of(warehouse: Warehouse) -> list[Path]:
    """Return the files that were published before and are kept, the newest first."""
    return _snapshots(warehouse.snapshots)


def folder_mode(mode: int) -> int:
    """Return the mode of a folder whose files have ``mode``: readers may enter it."""
    return mode | (mode & 0o444) >> 2


def _copy(
    build_file: Path, incoming: Path, mode: int, numbers: NumberProtection
) -> None:
    """Copy into a folder that only the owner can enter until the copy is complete."""
    own, folder = incoming.parent, incoming.parent.parent
    folder.mkdir(exist_ok=True)
    own.mkdir(mode=0o700)
    if numbers.mode == PLAIN:
        # Made here and now, or not at all: a link would lead the copy elsewhere.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        os.close(os.open(incoming, flags, 0o600))
        shutil.copyfile(build_file, incoming)
    else:
        copy_protected(build_file, incoming, numbers)
    incoming.chmod(mode)
    for path in (own, folder):
        path.chmod(folder_mode(mode))
    for path in (incoming, own, folder):
        flush(path)


def row_counts(path: Place, file_kind: FileKind) -> dict[str, int]:
    """Return the number of rows by table."""
    with opened(path, file_kind) as connection:
        ((counts,),) = connection.execute(query("row_counts")).fetchall()
        return dict(connection.execute(counts).fetchall())


def _refuse_logs(published: Path) -> None:
    """Replace a log under the name of the link by a link that points to nothing."""
    log = published.with_name(f"{published.name}.wal")
    if log.is_dir() and not log.is_symlink():
        shutil.rmtree(log)
    _point(log, NO_LOG)


def _point(link: Path, target: Path) -> None:
    """Make a symbolic link, in place of whatever has its name."""
    incoming = link.with_name(f"{link.name}.incoming")
    incoming.unlink(missing_ok=True)
    incoming.symlink_to(target)
    incoming.replace(link)


def _keep(
    before: Path | None, snapshots: Path, now: datetime, keep: int, mode: int
) -> None:
    """Keep the file that is replaced as a snapshot, and delete older snapshots."""
    if before and before.exists() and keep > 0:
        snapshots.mkdir(exist_ok=True)
        snapshots.chmod(folder_mode(mode))
        name = snapshots / f"calls-until-{now:%Y%m%dT%H%M%S}Z.duckdb"
        _drop(name)
        name.hardlink_to(before)
    for old in _snapshots(snapshots)[keep:]:
        _drop(old)


def _drop_others(snapshots: Path, mode: str) -> None:
    """Delete snapshots that show phone numbers in another way, and say so."""
    others = [one for one in _snapshots(snapshots) if shown_in(one) != mode]
    for one in others:
        _drop(one)
    if others:
        names = ", ".join(one.name for one in others)
        tell(f"phone numbers are {mode} now, so these snapshots are deleted: {names}")


def _snapshots(folder: Path) -> list[Path]:
    return sorted(folder.glob("calls-until-*.duckdb"), reverse=True)


def _drop(snapshot: Path) -> None:
    """Delete a snapshot and the log that a client left beside it."""
    snapshot.unlink(missing_ok=True)
    snapshot.with_name(f"{snapshot.name}.wal").unlink(missing_ok=True)


def drop_older(folder: Path, names: set[str]) -> None:
    """Delete all published files except those of ``names``.

    The last one stays: a client may have followed the link to it, and open it now.
    """
    for old in folder.iterdir():
        if old.is_dir() and old.name not in names:
            shutil.rmtree(old)


@contextmanager
def _failures(published: Path) -> Iterator[None]:
    """Raise an error of the file system as a `PublishError`."""
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{published} could not be replaced: {error.strerror} "
            f"({error.filename}); mend that, and run: callhouse transform"
        ) from None


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
