"""What became of a vendor in a run, added up from its load packages."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from pipelines.config.model import Account
from pipelines.load.change_detection import Tally
from pipelines.planning.planner import PastRead
from pipelines.planning.reasons import COUNTS_MORE, EXPIRED, MISSING
from pipelines.planning.windows import Window

Asked: TypeAlias = tuple[Account, Window]
Key: TypeAlias = tuple[str, str, datetime]
"""Account, stream and start of a window."""


@dataclass(frozen=True)
class Outcome:
    """What became of one vendor in a run."""

    vendor: str
    windows: int = 0
    """Windows read to their end."""
    planned: int = 0
    records: int = 0
    """Distinct records in those windows."""
    changed: int = 0
    """Of them new or different from what was stored."""
    quarantined: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    """Records that are new in quarantine, by the reason."""
    pending: int = 0
    """Calls asked for because their end or price was still to come."""
    settled: int = 0
    """Of them those that wait for nothing any more."""
    deleted: int = 0
    """Calls newly marked deleted."""
    restored: int = 0
    """Calls that were marked deleted and are listed again."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    is_blocked: bool = False
    """The system refused: a full disk, a missing permission."""
    notes: tuple[str, ...] = ()
    """What an operator should know, and need not act upon."""

    @property
    def has_all_windows(self) -> bool:
        """Return True if every planned window was read to its end."""
        return not self.errors and self.windows == self.planned

    @property
    def is_complete(self) -> bool:
        """Return True if all that was planned is in, and all of it could be read."""
        return self.has_all_windows and not self.unreadable

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that somebody should act upon."""
        if not self.unreadable:
            return self.errors
        reasons = "; ".join(
            f"{reason} ({count:,})" for reason, count in sorted(self.unreadable.items())
        )
        count = sum(self.unreadable.values())
        sentence = (
            f"{count:,} new in quarantine, as they could not be read: {reasons}; "
            "see: callhouse quarantine list"
        )
        return (*self.errors, sentence)


def added(
    outcome: Outcome, tally: Tally, lost: int, reads: Iterable[PastRead]
) -> Outcome:
    """Add a load package to what became of a vendor in this run.

    ``lost`` of the planned windows can no longer be had; ``reads`` are those before
    the package: what was said of a window then is not said again.
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
        outcome,
        planned=outcome.planned - lost,
        windows=outcome.windows + sum(row["state"] == "complete" for row in rows),
        records=outcome.records + sum(row["rows_distinct"] for row in rows),
        changed=outcome.changed + tally.changed,
        restored=outcome.restored + tally.restored,
        quarantined=outcome.quarantined + sum(row["rows_quarantined"] for row in rows),
        unreadable=dict(
            Counter(outcome.unreadable) + Counter(tally.unreadable.values())
        ),
        requests=outcome.requests + sum(row["requests"] for row in rows),
        retries=outcome.retries + sum(row["retries"] for row in rows),
        errors=tuple(dict.fromkeys([*outcome.errors, *errors])),
        notes=tuple(dict.fromkeys([*outcome.notes, *notes])),
    )


def _note(row: Mapping[str, Any]) -> str:
    if _is_gone(row):
        return f"{row['stream']}: {row['error']}; only --force asks for them again"
    return (
        f"{row['stream']} is left out: {row['error']}, or set {row['stream']} = false"
    )


def _is_gone(row: Mapping[str, Any]) -> bool:
    return bool(row["reason"] == EXPIRED)


def lost(left: Iterable[Asked], tally: Tally) -> set[Key]:
    """Return which of the windows that were left before a package cannot be had.

    A stream that is not granted takes its account's other windows along, in whatever
    order they would be asked for; what a vendor no longer serves only itself.
    """
    answered = {key_of(row) for row in tally.ledger if row["state"] != "unreachable"}
    gone = {key_of(row) for row in tally.ledger if _is_gone(row)}
    refused = {
        (row["account"], row["stream"])
        for row in tally.ledger
        if row["state"] == "unreachable" and not _is_gone(row)
    }
    keys = {key(one) for one in left}
    return {one for one in keys - answered if one in gone or one[:2] in refused}


def key(asked: Asked) -> Key:
    """Return what tells a window of a run from all others."""
    account, window = asked
    return account.alias, window.stream, window.start.astimezone(UTC)


def key_of(row: Mapping[str, Any]) -> Key:
    """Return the key of the window that a ledger row is about."""
    return row["account"], row["stream"], row["window_start"].astimezone(UTC)
