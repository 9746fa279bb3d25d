"""What became of a vendor tonight, added up from its load packages."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from pipelines.config import Account
from pipelines.news import Tally
from pipelines.windows import Window

Refused: TypeAlias = dict[tuple[str, str], datetime]
"""By account and stream that is not granted: the first window it was refused for."""


@dataclass(frozen=True)
class Outcome:
    """What became of one vendor tonight."""

    vendor: str
    windows: int = 0
    """Windows read to their end."""
    planned: int = 0
    records: int = 0
    """Distinct records in those windows."""
    changed: int = 0
    """Of them new or different from what was held."""
    quarantined: int = 0
    pending: int = 0
    """Calls asked for because their end or price was still to come."""
    settled: int = 0
    """Of them those that wait for nothing any more."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What an operator should know, and need not act upon tonight."""

    @property
    def is_complete(self) -> bool:
        """Tell whether all that was planned is in."""
        return not self.errors and self.windows == self.planned


def added(outcome: Outcome, tally: Tally, planned: int) -> Outcome:
    """Add a load package to what became of a vendor tonight."""
    rows = tally.ledger
    errors = [row["error"] for row in rows if row["state"] in {"failed", "partial"}]
    notes = [
        f"{row['stream']} is left out: {row['error']}, or set {row['stream']} = false"
        for row in rows
        if row["state"] == "unreachable"
    ]
    return replace(
        outcome,
        planned=planned,
        windows=outcome.windows + sum(row["state"] == "complete" for row in rows),
        records=outcome.records + sum(row["rows_distinct"] for row in rows),
        changed=outcome.changed + tally.changed,
        quarantined=outcome.quarantined + sum(row["rows_quarantined"] for row in rows),
        requests=outcome.requests + sum(row["requests"] for row in rows),
        retries=outcome.retries + sum(row["retries"] for row in rows),
        errors=tuple(dict.fromkeys([*outcome.errors, *errors])),
        notes=tuple(dict.fromkeys([*outcome.notes, *notes])),
    )


def refusals(tally: Tally) -> Refused:
    """Return since when which account's stream is not granted."""
    return {
        (row["account"], row["stream"]): row["window_start"]
        for row in tally.ledger
        if row["state"] == "unreachable"
    }


def within_reach(
    asked: Iterable[tuple[Account, Window]], refused: Refused
) -> list[tuple[Account, Window]]:
    """Leave out what is not granted; a stream's windows are asked oldest first."""
    return [
        (account, window)
        for account, window in asked
        if (since := refused.get((account.alias, window.stream))) is None
        or window.start < since
    ]


def given_up(asked: list[tuple[Account, Window]], tally: Tally) -> set[str]:
    """Return the accounts whose source stopped before its last window."""
    answered = {
        (row["account"], row["stream"], row["window_start"]) for row in tally.ledger
    }
    return {
        account.alias
        for account, window in asked
        if (account.alias, window.stream, window.start.astimezone(UTC)) not in answered
    }
