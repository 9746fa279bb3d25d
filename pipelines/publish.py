"""From the private build file to the file analysts open, in one rename.

A reader that has the old file open finishes on it; the next one opens the new night.
Nobody ever sees a file that is being written.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

PUBLISHED = "calls.duckdb"


def publish(build_file: Path, warehouse: Path, now: datetime, keep: int) -> Path:
    """Copy the closed build file, flush it to the disk, and put it in place.

    The last ``keep`` published files stay in ``snapshots/``: they are the backups.
    """
    published = warehouse / PUBLISHED
    incoming = warehouse / f"{PUBLISHED}.incoming"
    shutil.copyfile(build_file, incoming)
    # As the operator's umask has it: the build file is private, this one is not.
    umask = os.umask(0)
    os.umask(umask)
    incoming.chmod(0o666 & ~umask)
    _flush(incoming)
    _keep(published, warehouse / "snapshots", now, keep)
    incoming.replace(published)
    _flush(warehouse)
    return published


def _keep(published: Path, snapshots: Path, now: datetime, keep: int) -> None:
    """Give the file that is about to be replaced a second name, and drop old ones."""
    if published.exists() and keep > 0:
        snapshots.mkdir(exist_ok=True)
        name = snapshots / f"calls-until-{now:%Y%m%dT%H%M%S}Z.duckdb"
        name.unlink(missing_ok=True)
        name.hardlink_to(published)
    for old in sorted(snapshots.glob("calls-until-*.duckdb"))[: -keep or None]:
        old.unlink()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
