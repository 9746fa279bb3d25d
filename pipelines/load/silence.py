"""Which empty windows are asked for once more, as nothing shows that a vendor answers.

A run to which a vendor lists nothing reads a day with stored records as a control
(`pipelines.load.absences`). A vendor that lists its days whole for a while only, as
EvoVoice does for twelve days, may have no such day left: after a long outage, or when
an old copy of the warehouse was put back. Then an empty window that is read for the
first time, and that no lookback would read again, stays open for one more run.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from pipelines.config.model import Account
from pipelines.planning.deletion import APART, StreamReads
from pipelines.planning.planner import NOT_WHOLE, PastRead
from pipelines.planning.reasons import SILENT
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window
from pipelines.sources import streams_of
from pipelines.warehouse.records import days_with_records
from transforms.runner.storage import Place

Row: TypeAlias = dict[str, Any]
"""The ledger's row of a window."""
UNCHECKED = (
    "nothing came, and no stored call is young enough to show that the vendor still "
    "answers; a run 20 hours later asks once more, and believes that"
)


def is_unchecked(
    raw: Place, account: Account, stream: Stream, reads: StreamReads, now: datetime
) -> bool:
    """Return True if a stream listed nothing, and no day of it could be a control."""
    if not reads.is_silent:
        return False
    days = days_with_records(raw, stream.table, account.alias, reads.until)
    windows = (Window(day, day + DAY, stream.name) for day in days)
    return bool(days) and not any(stream.lists_all(one, now) for one in windows)


def asked_once(
    account: Account, rows: Sequence[Row], past: Sequence[PastRead]
) -> Iterator[tuple[Row, Row]]:
    """Yield the ledger rows of empty windows to ask for once more, before and after.

    ``rows`` are those of the run, ``past`` the reads of earlier ones.
    """
    lookbacks = {
        stream.name: stream.lookback
        for stream in streams_of(account.vendor)
        if not stream.is_full_refresh
    }
    for row in rows:
        is_own = row["account"] == account.alias and row["stream"] in lookbacks
        is_empty = row["state"] == "complete" and not row["rows_fetched"]
        if not is_own or not is_empty or row["purpose"] in NOT_WHOLE:
            continue
        is_last = row["started_at"] >= row["window_end"] + lookbacks[row["stream"]]
        if is_last and not any(_is_earlier(one, row) for one in past):
            error = f"{row['window_start']:%Y-%m-%d}: {UNCHECKED}"
            yield row, row | {"state": "partial", "reason": SILENT, "error": error}


def _is_earlier(read: PastRead, row: Row) -> bool:
    """Return True if a window was read to its end long enough before, too."""
    is_same = (read.account, read.stream) == (row["account"], row["stream"])
    is_whole = (
        read.interval[0] <= row["window_start"]
        and row["window_end"] <= read.interval[1]
        and read.purpose not in NOT_WHOLE
        and (read.state == "complete" or read.reason == SILENT)
    )
    return is_same and is_whole and row["started_at"] - read.started_at >= APART
