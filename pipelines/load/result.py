"""The result of a run for one vendor: the sum of its load packages."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec.structs import replace

from pipelines.config.model import Account
from pipelines.load.change_detection import Tally
from pipelines.planning.planner import PastRead
from pipelines.planning.reasons import COUNTS_MORE, EXPIRED, MISSING
from pipelines.planning.windows import Window
from pipelines.warehouse.journal import LoadResult

AccountWindow: TypeAlias = tuple[Account, Window]
Key: TypeAlias = tuple[str, str, datetime]
"""Account, stream and start of a window."""


def added(
    result: LoadResult, tally: Tally, lost: int, reads: Iterable[PastRead]
) -> LoadResult:
    """Add a load package to the result of a run.

    ``lost`` is how many planned windows can no longer be read. ``reads`` are those
    before the package: a note that was made then is not repeated.
    """
    rows = tally.ledger
    errors = [
        row["error"]
        for row in rows
        if row["state"] in {"failed", "partial"} and row["reason"] != MISSING
    ]
    notes = [_note(row) for row in rows if row["state"] == "unreachable"]
    known = {
        (read.account, read.stream, *read.interval)
        for read in reads
        if read.reason == COUNTS_MORE
    }
    notes += [
        f"{row['stream']} {row['window_start']:%Y-%m-%d}: the vendor counts "
        f"{row['vendor_total']} records and lists {row['rows_distinct']}, however "
        "finely it is asked; all it lists is stored"
        for row in rows
        if row["reason"] == COUNTS_MORE
        and (row["account"], row["stream"], row["window_start"], row["window_end"])
        not in known
    ]
    return replace(
        result,
        planned=result.planned - lost,
        windows=result.windows + sum(row["state"] == "complete" for row in rows),
        records=result.records + sum(row["rows_distinct"] for row in rows),
        changed=result.changed + tally.changed,
        new=result.new + tally.new,
        restored=result.restored + tally.restored,
        quarantined=result.quarantined + sum(row["rows_quarantined"] for row in rows),
        unreadable=dict(
            Counter(result.unreadable) + Counter(tally.unreadable.values())
        ),
        requests=result.requests + sum(row["requests"] for row in rows),
        retries=result.retries + sum(row["retries"] for row in rows),
        errors=tuple(dict.fromkeys([*result.errors, *errors])),
        notes=tuple(dict.fromkeys([*result.notes, *notes])),
    )


def _note(row: Mapping[str, Any]) -> str:
    if _is_expired(row):
        return f"{row['stream']}: {row['error']}; only --force asks for them again"
    return (
        f"{row['stream']} is left out: {row['error']}, or set {row['stream']} = false"
    )


def _is_expired(row: Mapping[str, Any]) -> bool:
    return bool(row["reason"] == EXPIRED)


def lost(left: Iterable[AccountWindow], tally: Tally) -> set[Key]:
    """Return which of the windows that were left before a package cannot be read.

    If a stream is not authorized, none of its windows in the account can be read. An
    expired window says nothing about others.
    """
    read = {key_of(row) for row in tally.ledger if row["state"] != "unreachable"}
    expired = {key_of(row) for row in tally.ledger if _is_expired(row)}
    not_authorized = {
        (row["account"], row["stream"])
        for row in tally.ledger
        if row["state"] == "unreachable" and not _is_expired(row)
    }
    keys = {key(one) for one in left}
    return {one for one in keys - read if one in expired or one[:2] in not_authorized}


def key(one: AccountWindow) -> Key:
    """Return the key of a window: no other of a run has it."""
    account, window = one
    return account.alias, window.stream, window.start.astimezone(UTC)


def key_of(row: Mapping[str, Any]) -> Key:
    """Return the key of the window that a ledger row is about."""
    return row["account"], row["stream"], row["window_start"].astimezone(UTC)
