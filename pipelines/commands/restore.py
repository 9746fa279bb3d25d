"""``callhouse restore``: put a backup in the place of a warehouse.

The backup is copied beside the warehouse, checked and opened there, and takes the
warehouse's place in one exchange of names. So whoever kills it finds the warehouse as
it was or the restored one, and can run the same command again.

Who was erased since the backup stays erased: the list of the warehouse that is replaced
is taken over, and the next run or transform erases everybody who is on it.
"""

import ctypes
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.config.lake import DUMP, refuse_on_lake
from pipelines.config.model import Config
from pipelines.config.privacy import protection_of
from pipelines.sources import vendors
from pipelines.warehouse.locks import BUILD_TIMEOUT, FILE_TIMEOUT, in_turn, only_one
from pipelines.warehouse.manifest import (
    MANIFEST,
    Manifest,
    differing,
    read_manifest,
)
from pipelines.warehouse.migration import LAYOUT, LayoutError, inspect
from pipelines.warehouse.opening import FileError, is_present, private
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import flush, folder_mode, publish
from pipelines.warehouse.suppression_list import (
    has_erasures,
    note_unfinished,
    take_over_erasures,
)

_EXCHANGE = 2
"""RENAME_EXCHANGE of Linux."""
_HERE = -100
"""AT_FDCWD: paths are those of this process."""


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    backup: Path
    manifest: Manifest
    aside: Path | None
    """Where the warehouse lies that was there before; None: there was none."""
    is_new: bool = True
    """False: the warehouse was as in the backup already."""
    has_erasures: bool = False
    """True: the next run or transform erases again who is on the list."""


def restore(config: Config, now: datetime, folder: Path, *, replace: bool) -> Restored:
    """Put a backup in place of the warehouse; ``folder`` is it, or has it as newest.

    With ``replace``, a warehouse that is there is moved aside. Raises `FileError` for a
    backup that is not whole or of a newer version, and for a warehouse that is not
    empty; `LockedError` if another process works in the warehouse.
    """
    refuse_on_lake(config.warehouse, "callhouse restore", DUMP)
    backup = _chosen(folder)
    manifest = read_manifest(backup)
    for trouble in differing(manifest, backup):
        raise FileError(f"{trouble}; nothing was restored; use another backup")
    root = Path(os.path.realpath(config.warehouse.root))
    warehouse = Warehouse(root)
    with ExitStack() as locks, private():
        _lock_all(locks, warehouse)
        is_empty = _is_empty(warehouse)
        if not is_empty and not any(differing(manifest, root)):
            return Restored(backup, manifest, None, is_new=False)
        if not is_empty and not replace:
            raise FileError(
                f"the warehouse {root} is not empty; move it aside with --replace, or "
                "name another folder as CALLHOUSE__WAREHOUSE"
            )
        incoming = root.with_name(f"{root.name}.incoming")
        if incoming.exists():  # of a restore that was killed
            shutil.rmtree(incoming)
        staged = Warehouse(incoming)
        _stage(backup, manifest, staged, config, now)
        take_over_erasures(staged, warehouse)
        if to_erase := has_erasures(staged):
            for name in vendors():
                note_unfinished(staged, name, is_whole=True)
            staged.privacy_lock.unlink()
        for lock in warehouse.locks.glob("*.lock"):
            # The same file: whoever waits at it waits for the restored warehouse too.
            staged.locks.joinpath(lock.name).hardlink_to(lock)
        aside = root.with_name(f"{root.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
        if aside.exists():
            raise FileError(f"{aside} exists already; run the same command again")
        _exchange(incoming, root, aside)
        if is_empty:
            shutil.rmtree(aside)
    aside_or_none = None if is_empty else aside
    return Restored(backup, manifest, aside_or_none, has_erasures=to_erase)


def _chosen(folder: Path) -> Path:
    """Return the backup in a folder, which is itself one or has several."""
    if (folder / MANIFEST).exists():
        return folder
    found = sorted(one.parent for one in folder.glob(f"*Z/{MANIFEST}"))
    if not found:
        raise FileError(f"there is no backup in {folder}; name the folder of one")
    return found[-1]


def _lock_all(locks: ExitStack, warehouse: Warehouse) -> None:
    """Take every lock of the warehouse; nobody may work in it meanwhile."""
    locks.enter_context(only_one(warehouse.run_lock, "a run"))
    for name in vendors():
        what = f"a backfill of {name}"
        locks.enter_context(only_one(warehouse.backfill_lock(name), what))
        what = f"a load of {name}"
        locks.enter_context(only_one(warehouse.vendor_lock(name), what))
    locks.enter_context(in_turn(warehouse.build_lock, timeout=BUILD_TIMEOUT))
    for name in vendors():
        locks.enter_context(in_turn(warehouse.raw_lock(name), timeout=FILE_TIMEOUT))
    locks.enter_context(in_turn(warehouse.journal_lock))
    locks.enter_context(in_turn(warehouse.privacy_lock))


def _is_empty(warehouse: Warehouse) -> bool:
    """Return True if there is nothing in the warehouse but empty folders and locks."""
    return not any(
        one.is_symlink() or (one.is_file() and is_present(one))
        for one in warehouse.root.rglob("*")
        if one.parent != warehouse.locks
    )


def _stage(
    backup: Path, manifest: Manifest, staged: Warehouse, config: Config, now: datetime
) -> None:
    """Make a warehouse out of a backup, and prove that it can be used."""
    staged.root.mkdir()
    staged.root.chmod(folder_mode(config.published_mode))
    for folder in staged.private_folders:
        folder.mkdir()
    for one in manifest.files:
        copy = staged.root / one.path
        if copy != staged.published:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(backup / one.path, copy)
    for raw in staged.raw_folder.glob("*.duckdb"):
        found, _ = inspect(raw)
        if found.layout > LAYOUT:
            raise LayoutError(
                f"{backup / 'raw' / raw.name} has layout {found.layout}, written by "
                f"{found.program}; restore it with that version"
            )
    saved = Warehouse(backup).published
    if saved.exists():
        numbers = protection_of(config.privacy, saved)
        mode = config.published_mode
        publish(saved, staged, now, 0, mode=mode, numbers=numbers)
    for path in (*staged.root.rglob("*"), staged.root):
        if not path.is_symlink():
            flush(path)


def _exchange(staged: Path, root: Path, aside: Path) -> None:
    """Let two folders change places; the one that was at ``root`` is then ``aside``."""
    try:
        staged.rename(aside)
        if not _exchanged(aside, root):
            # This system has no such exchange: for a moment no warehouse is there.
            aside.rename(staged)
            root.rename(aside)
            staged.rename(root)
        flush(root.parent)
    except OSError as error:
        raise FileError(
            f"{root} could not be replaced: {error.strerror}; name another folder as "
            "CALLHOUSE__WAREHOUSE, and run the same command again"
        ) from None


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; return False if the system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return bool(call(_HERE, paths[0], _HERE, paths[1], _EXCHANGE) == 0)
