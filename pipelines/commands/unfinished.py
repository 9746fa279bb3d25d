"""Finish an erasure: no byte of any file of the warehouse has the erased values then.

Whoever is on the suppression list goes, and what a vendor has erased itself. Each step
can be repeated, so a killed one is begun again: the mark of a vendor stays until all
steps are done.
"""

import shutil
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

from pipelines.commands.build import build_and_publish, make_warehouse
from pipelines.commands.erased_tables import (
    clear_snapshots,
    clear_tables,
    erased_calls,
)
from pipelines.commands.report import report_after_publish
from pipelines.config.model import FINALITY_HORIZON, Config, Vendor
from pipelines.load.erased_records import erase_records, old_days, remove_old
from pipelines.load.retention import limit_of
from pipelines.load.suppression import Suppression, suppression_of
from pipelines.load.turns import BATCH_TIMEOUT
from pipelines.sources import vendors
from pipelines.warehouse.locks import (
    BUILD_TIMEOUT,
    LockedError,
    in_turn,
    only_one,
    tell,
)
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import (
    BUILD_FILE,
    RAW_FILE,
    FileError,
    is_present,
    log_of,
    private,
    refusing,
    writing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import drop_older
from pipelines.warehouse.published_queries import old_calls
from pipelines.warehouse.rewriting import replace_by_copy
from pipelines.warehouse.suppression_list import (
    note_finished,
    note_raw_done,
    unfinished,
)
from transforms.runner.build import BuildResult
from transforms.runner.storage import Place


def suppressions_of(config: Config) -> dict[str, Suppression]:
    """Return who is erased, by vendor, whether it is configured or not.

    Raises `ListError` if the suppression list cannot be used.
    """
    configured = {one.name: one for one in config.vendors}
    nobody = partial(Vendor, accounts=(), lookback=None)
    return {
        name: suppression_of(
            config.warehouse,
            config.privacy,
            configured.get(name) or nobody(name, finality_horizon=FINALITY_HORIZON),
        )
        for name in vendors()
    }


def erase_raw_files(config: Config) -> None:
    """Free the raw files from what is erased, as far as that is not done yet.

    A file that is in use or damaged is left for the next time. Raises `ListError`.
    """
    warehouse = config.warehouse
    for vendor, mark in unfinished(warehouse).items():
        if mark.is_raw_done or vendor not in vendors():
            continue
        suppressions_of(config)
        lock, what = warehouse.vendor_lock(vendor), f"loading {vendor}"
        try:
            with only_one(lock, what, timeout=BATCH_TIMEOUT), private():
                _erase_raw_file(config, vendor)
        except (FileError, LockedError) as error:
            tell(f"what is erased is still in {warehouse.raw(vendor)}: {error}")


def build_and_finish(
    config: Config, now: datetime, *, full: bool = False, forget_history: bool = False
) -> tuple[BuildResult, Place]:
    """Build, publish and write the report; finish the erasures that are not finished.

    Raises the errors of `build_and_publish`.
    """
    if unfinished(config.warehouse):
        built = _build_and_erase(config, now, full=full, forget_history=forget_history)
    else:
        built = build_and_publish(config, now, full=full, forget_history=forget_history)
    report_after_publish(config)
    return built


def _build_and_erase(
    config: Config, now: datetime, *, full: bool, forget_history: bool
) -> tuple[BuildResult, Place]:
    make_warehouse(config)
    erase_raw_files(config)
    marks = {
        name: mark
        for name, mark in unfinished(config.warehouse).items()
        if mark.is_raw_done
    }
    is_whole = any(mark.is_whole for mark in marks.values())
    suppressions = suppressions_of(config)

    def free(build_file: Path, result: BuildResult) -> None:
        if result.kept:
            old = _old_calls(build_file, result.kept, config, now)
            clear_tables(build_file, BUILD_FILE, old, suppressions)
        replace_by_copy(build_file, BUILD_FILE)

    built = build_and_publish(
        config,
        now,
        again={name: mark.span for name, mark in marks.items() if mark.span},
        full=full or is_whole,
        forget_history=forget_history,
        before_publish=free,
    )
    with in_turn(config.warehouse.build_lock, timeout=BUILD_TIMEOUT):
        if (lake := config.warehouse.lake_tables) is None:
            _free_the_rest(config.warehouse, suppressions, is_whole=is_whole)
        else:
            lake.forget()
            _delete_leftovers(config.warehouse)
            marks = {
                name: own for name, own in marks.items() if name not in built[0].kept
            }
    note_finished(config.warehouse, marks)
    return built


def _old_calls(
    build_file: Path, kept: Collection[str], config: Config, now: datetime
) -> dict[str, bool]:
    """Return the calls of vendors that kept theirs which are too old, as `True`."""
    days = config.privacy.raw_days
    if days is None:
        return {}
    before = limit_of(days, now)
    keys = (old_calls(build_file, BUILD_FILE, name, before) for name in kept)
    return dict.fromkeys(chain.from_iterable(keys), True)


def _erase_raw_file(config: Config, vendor: str) -> None:
    """Free one raw file; the caller has the lock of the vendor."""
    warehouse = config.warehouse
    raw, lock = warehouse.raw(vendor), warehouse.raw_lock(vendor)
    # Read under the lock, so that no load can change them any more.
    own, mark = suppressions_of(config)[vendor], unfinished(warehouse)[vendor]
    shutil.rmtree(warehouse.work_folder(vendor), ignore_errors=True)
    if is_present(raw):
        migrate(raw, lock)
        with in_turn(lock):
            if mark.is_whole and own:
                with writing(raw) as file, refusing(raw, RAW_FILE):
                    erase_records(file, own)
                    if own.before is not None:
                        remove_old(file, own, old_days(file, vendor, own.before))
            if isinstance(raw, Path):
                replace_by_copy(raw, RAW_FILE, is_raw=True)
                log = log_of(raw)
                log.with_name(f"{log.name}.set-aside").unlink(missing_ok=True)
                shutil.rmtree(f"{raw}.tmp", ignore_errors=True)
            else:
                raw.forget()
    note_raw_done(warehouse, vendor, mark)


def _free_the_rest(
    warehouse: Warehouse, suppressions: Mapping[str, Suppression], *, is_whole: bool
) -> None:
    """Free the snapshots, and delete what only programs that ended have left.

    The reports have names, so they are deleted; the next one is without the erased.
    """
    newest = warehouse.published.resolve().parent
    drop_older(warehouse.published_folder, {newest.name})
    calls = erased_calls(warehouse.published)
    clear_snapshots(warehouse, calls, suppressions, is_whole=is_whole)
    _delete_leftovers(warehouse)


def _delete_leftovers(warehouse: Warehouse) -> None:
    for left in (
        *warehouse.root.glob("*.set-aside"),
        *warehouse.root.glob("report.html*"),
        *warehouse.reports.glob("*"),
    ):
        left.unlink()
    shutil.rmtree(f"{warehouse.build}.tmp", ignore_errors=True)
