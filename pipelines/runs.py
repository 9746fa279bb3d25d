"""The journal of runs: one line per vendor and run, in ``warehouse/runs.jsonl``.

Text, appended and flushed, so that it also tells of the nights whose build failed;
the next good build shows it to analysts as ``ops.runs``.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa

JOURNAL = "runs.jsonl"
_FIELDS: dict[str, pa.DataType] = {
    "run_no": pa.int64(),
    "started_at": pa.timestamp("us", tz="UTC"),
    **dict.fromkeys(("command", "vendor"), pa.string()),
    **dict.fromkeys(("windows", "planned", "records", "changed"), pa.int64()),
    **dict.fromkeys(
        ("quarantined", "pending", "settled", "deleted", "restored"), pa.int64()
    ),
    **dict.fromkeys(("requests", "retries"), pa.int64()),
    "seconds": pa.float64(),
    **dict.fromkeys(("outcome", "error", "note"), pa.string()),
}
SCHEMA = pa.schema(_FIELDS)


class Run(msgspec.Struct, frozen=True):
    """What one command did for one vendor; "" stands for the build of all."""

    started_at: datetime
    command: str
    vendor: str
    outcome: str
    """complete, incomplete or failed."""
    windows: int = 0
    planned: int = 0
    records: int = 0
    changed: int = 0
    quarantined: int = 0
    pending: int = 0
    """Calls asked for because their end or price was still to come."""
    settled: int = 0
    deleted: int = 0
    """Calls newly marked deleted."""
    restored: int = 0
    """Calls that were marked deleted and are listed again."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: str | None = None
    note: str | None = None


def write_runs(warehouse: Path, runs: Iterable[Run]) -> None:
    """Append to the journal and flush it to the disk."""
    warehouse.mkdir(parents=True, exist_ok=True)
    with (warehouse / JOURNAL).open("ab") as journal:
        journal.writelines(
            # A date library's own time is one as well, and is not encoded by itself.
            msgspec.json.encode(run, enc_hook=datetime.isoformat) + b"\n"
            for run in runs
        )
        journal.flush()
        os.fsync(journal.fileno())


def read_runs(warehouse: Path) -> pa.Table:
    """Return the journal as a table; a line torn by a power cut is left out."""
    rows = []
    if (warehouse / JOURNAL).exists():
        lines = (warehouse / JOURNAL).read_bytes().splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                run = msgspec.json.decode(line, type=Run)
            except msgspec.DecodeError:
                continue
            rows.append({"run_no": number, **msgspec.structs.asdict(run)})
    return pa.Table.from_pylist(rows, schema=SCHEMA)
