"""Built files without those who are erased: where no raw file can make a row anew.

That is a snapshot, and the build file's calls of a vendor whose raw file is gone.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.config.model import Config
from pipelines.load.suppression import Suppression
from pipelines.sources import streams_of
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    FileError,
    log_of,
    read,
    refusing,
)
from pipelines.warehouse.publish import flush
from pipelines.warehouse.raw_files import query
from pipelines.warehouse.rewriting import copy_database

PERSONAL: Mapping[str, tuple[str, ...]] = {
    "main.fact_calls": ("customer_number", "customer_number_kind", "country"),
    "main.fact_call_legs": ("from_party", "to_party", "party_name"),
    "ops.call_changes": ("old", "new"),
    "ops.unmapped_values_by_call": ("value",),
}
"""By table of calls: the columns that say who the customer is, or may."""
Suppressions = Mapping[str, Suppression]
"""By vendor."""
