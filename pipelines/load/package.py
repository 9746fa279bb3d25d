"""Store what dlt resources yield as one load package, all or nothing.

dlt's working folder is emptied first, since a killed dlt can leave it unusable for
good. Pending packages are never resumed: the raw file is the only state.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.config.model import Vendor
from pipelines.load.change_detection import Tally
from pipelines.warehouse.ledger import next_load
from pipelines.warehouse.locks import in_turn
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import RAW_FILE, refuse_in_use, writing
from pipelines.warehouse.paths import Warehouse

DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    "RESTORE_FROM_DESTINATION": "false",
    # Each piece of a window is written before the next one is read from disk.
    "EXTRACT__NEXT_ITEM_MODE": "fifo",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "1",
}
DESTINATION: dict[str, Any] = {
    # Without the flag a merge deletes and inserts in two transactions.
    "supports_transactions": True,
    # dlt's own defaults: what is not given it looks for in the environment, often.
    "replace_strategy": None,
    "staging_dataset_name_layout": "%s_staging",
    "enable_dataset_name_normalization": True,
    "info_tables_query_threshold": 1000,
    "staging_config": None,
    "truncate_tables_on_staging_destination_before_load": True,
}
STORING = 96
"""MiB of memory for DuckDB while it stores a load package of a common size."""
LARGE = 32 * 1024
"""Bytes of a record: for larger ones DuckDB gets no memory limit, or it would fail."""


def take_load_no(vendor: Vendor, warehouse: Warehouse) -> int:
    """Take the number of a vendor's next load."""
    raw, lock = warehouse.raw(vendor.name), warehouse.raw_lock(vendor.name)
    if isinstance(raw, Path):
        raw.parent.mkdir(parents=True, exist_ok=True)
    migrate(raw, lock, create=True)
    with in_turn(lock):
        return next_load(raw)


def memory_for(tally: Tally) -> dict[str, str]:
    """Return DuckDB's setting of memory for storing a load package; {}: no limit.

    DuckDB has a whole package in memory when it commits. With a higher limit it uses
    more than it needs; with a low one it fails at a checkpoint with large records.
    """
    if tally.largest > LARGE:
        return {}
    return {"memory_limit": f"{max(STORING, 16 + 2 * (tally.bytes >> 20))}MiB"}


def store(
    vendor: Vendor,
    warehouse: Warehouse,
    data: Callable[[int], Sequence[Any]],
    limit: Callable[[], dict[str, str]] = dict,
) -> None:
    """Store what dlt resources yield as one load package, all or nothing.

    ``data`` returns them for the number of the load. ``limit`` returns DuckDB's memory
    setting; it is called when all records have been read.
    """
    os.environ.update(DLT_SETTINGS)
    import dlt  # noqa: PLC0415 - takes its settings when it is imported
    from dlt.pipeline.exceptions import PipelineStepFailed  # noqa: PLC0415

    raw = warehouse.raw(vendor.name)
    # Before anything is read from the vendor: it could not be stored.
    with in_turn(warehouse.raw_lock(vendor.name)):
        refuse_in_use(raw, RAW_FILE)
    work = warehouse.work_folder(vendor.name)
    load_no = take_load_no(vendor, warehouse)
    shutil.rmtree(work, ignore_errors=True)
    pipeline = dlt.pipeline(
        vendor.name,
        pipelines_dir=str(work),
        # What is read does not depend on it; `load` names the real one.
        destination=dlt.destinations.duckdb(
            _resolved(str(work / "none.duckdb")), **DESTINATION
        ),
        dataset_name="raw",
    )
    pipeline.extract(data(load_no), loader_file_format="parquet")
    pipeline.normalize()

    with (
        in_turn(warehouse.raw_lock(vendor.name)),
        writing(raw, {"threads": 1, **limit()}) as file,
    ):
        try:
            pipeline.load(credentials=_resolved(file), raise_on_failed_jobs=True)
        except PipelineStepFailed:
            refuse_in_use(raw, RAW_FILE)
            if not isinstance(raw, Path):
                raw.refuse_lost()
            raise
    shutil.rmtree(work, ignore_errors=True)


def _resolved(place: Any) -> Any:  # noqa: ANN401
    """Return credentials for a path or a connection, of which dlt looks up nothing."""
    from dlt.destinations.impl.duckdb.configuration import (  # noqa: PLC0415
        DuckDbCredentials,
    )

    credentials = DuckDbCredentials(place)
    credentials.resolve()
    return credentials
