"""What to read from one vendor: every account's windows, then its pending calls.

For a backfill: what is not stored yet of its range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.config.model import Account, Vendor
from pipelines.load.accounting import Row
from pipelines.load.result import key, key_of
from pipelines.planning.deletion import Suspicion
from pipelines.planning.pending import PendingDay, days_in_doubt, pending_windows
from pipelines.planning.planner import (
    PENDING_READ,
    BackfillRequest,
    PastRead,
    plan,
    plan_backfill,
)
from pipelines.planning.request_budget import expected_requests, used_today, warning
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Interval, Window, merge
from pipelines.sources import streams_of
from pipelines.warehouse.ledger import suspicions
from pipelines.warehouse.records import pending
from transforms.runner.storage import Place

_Call = tuple[str, str, str]
"""Table, account and record id."""


@dataclass(frozen=True)
class WorkPlan:
    """What one run reads from a vendor, in this order."""

    windows: tuple[tuple[Account, Window], ...]
    pending: frozenset[_Call] = frozenset()
    """The calls that are read again because they are pending."""
    spans: tuple[tuple[Stream, Interval], ...] = ()
    """The stream and the range of time of these calls."""
    settled: tuple[tuple[Account, Window], ...] = ()
    """Spans of days, older than the horizon, of which no later run needs to ask for
    pending calls if this one could."""
    warnings: tuple[str, ...] = ()
    confirmed: Interval | None = None
    """The operator knows: what the vendor does not list in it is deleted."""


def nightly_work(
    vendor: Vendor,
    raw: Place,
    since: datetime,
    now: datetime,
    reads: Sequence[PastRead],
) -> WorkPlan:
    """Return the work plan of a run that begins ``now``."""
    planned: list[tuple[Account, Window]] = []
    again: list[tuple[Account, Window]] = []
    calls: set[_Call] = set()
    spans: list[tuple[Stream, Interval]] = []
    settled: list[tuple[Account, Window]] = []
    suspected = suspicions(raw)
    for account in vendor.accounts:
        own = [read for read in reads if read.account == account.alias]
        windows = [
            window
            for stream in streams_for(account)
            for window in plan(
                stream,
                since,
                now,
                own,
                vendor.lookback,
                suspected=_times(suspected, account, stream),
            )
        ]
        planned += [(account, window) for window in windows]
        for stream in streams_for(account):
            doubted = days_in_doubt(
                stream,
                now,
                own,
                windows,
                lookback=vendor.lookback,
                horizon=vendor.finality_horizon,
            )
            old = [day for day in doubted if day[1] + vendor.finality_horizon <= now]
            settled += [
                (account, Window(*span, stream.name, PENDING_READ))
                for span in merge(old)
            ]
            days = _pending(account, raw, stream, doubted)
            if days:
                spans.append((stream, (days[0].start, days[-1].end)))
            calls |= {
                (stream.table, account.alias, one) for day in days for one in day.ids
            }
            late = pending_windows(stream, days, own, account.settings.page_size)
            again += [(account, window) for window in late]
    all_windows = (*planned, *again)
    warnings = tuple(_quota_warnings(vendor, all_windows, now, reads))
    return WorkPlan(
        all_windows, frozenset(calls), tuple(spans), tuple(settled), warnings
    )


def _pending(
    account: Account, raw: Place, stream: Stream, doubted: Sequence[Interval]
) -> list[PendingDay]:
    """Return those of the doubted days of an account that have pending calls."""
    if not doubted:
        return []
    return [
        day
        for day in pending(raw, stream, (doubted[0][0], doubted[-1][1]))
        if day.account == account.alias and (day.start, day.end) in doubted
    ]


def _times(
    suspected: Sequence[Suspicion], account: Account, stream: Stream
) -> list[datetime]:
    """Return the times of a stream's calls that were missing in an earlier run."""
    place = (account.alias, stream.table)
    return [
        one.event_at
        for one in suspected
        if stream.proves_absence and (one.account, one.table) == place
    ]


def backfill_work(
    vendor: Vendor, request: BackfillRequest, now: datetime, reads: Sequence[PastRead]
) -> WorkPlan:
    """Return the work plan of a backfill: day after day, every stream of each."""
    planned = [
        (account, window)
        for account in vendor.accounts
        for stream in streams_for(account)
        for window in plan_backfill(
            stream,
            request,
            now,
            [read for read in reads if read.account == account.alias],
            vendor.lookback,
        )
    ]
    planned.sort(key=lambda one: one[1].start, reverse=request.newest_first)
    warnings = [*_month_notes(vendor, request)]
    warnings += _quota_warnings(vendor, planned, now, reads)
    confirmed = (request.start, request.end) if request.confirms_deletions else None
    return WorkPlan(tuple(planned), warnings=tuple(warnings), confirmed=confirmed)


def _month_notes(vendor: Vendor, request: BackfillRequest) -> Iterator[str]:
    by_month = any(
        stream.whole_months
        for account in vendor.accounts
        for stream in streams_for(account)
    )
    if by_month and request.start.day > 1:
        yield (
            f"read from {request.start.replace(day=1):%Y-%m-%d} on, since a price "
            "depends on the other calls of its month"
        )


def streams_for(account: Account) -> list[Stream]:
    """Return the streams of an account that no setting has turned off.

    Those of an account whose rate card has an allowance are read by whole months.
    """
    return [
        replace(stream, whole_months=True) if account.has_allowance else stream
        for stream in streams_of(account.vendor)
        if not stream.is_optional or getattr(account.settings, stream.name, True)
    ]


def _quota_warnings(
    vendor: Vendor,
    planned: Sequence[tuple[Account, Window]],
    now: datetime,
    reads: Sequence[PastRead],
) -> Iterator[str]:
    for account in vendor.accounts:
        own = [read for read in reads if read.account == account.alias]
        windows = [window for owner, window in planned if owner is account]
        limit = account.settings.daily_requests
        used = used_today(own, account.alias, now)
        expected = expected_requests(streams_of(vendor.name), windows, own)
        if message := warning(limit, used, expected):
            yield message


def settled_rows(
    planned: Sequence[tuple[Account, Window]],
    settled: Sequence[tuple[Account, Window]],
    rows: Sequence[Row],
    now: datetime,
    load_no: int,
) -> list[Row]:
    """Return a ledger row for each span of days that no later run searches again.

    Without these rows a run would search the whole history for pending calls. ``rows``
    are what the run has read of the ``planned`` windows: where one of pending calls was
    not read completely, its stream is searched again by the next run.
    """
    read = {key_of(row) for row in rows if row["state"] == "complete"}
    unread = {
        (account.alias, window.stream)
        for account, window in planned
        if window.purpose == PENDING_READ and key((account, window)) not in read
    }
    numbers = ("rows_fetched", "rows_distinct", "rows_quarantined")
    return [
        {
            "account": account.alias,
            "stream": span.stream,
            "window_start": span.start,
            "window_end": span.end,
            "purpose": PENDING_READ,
            "state": "complete",
            **dict.fromkeys((*numbers, "requests", "retries"), 0),
            "attempt": 1,
            "started_at": now,
            "finished_at": now,
            "load_no": load_no,
        }
        for account, span in settled
        if (account.alias, span.stream) not in unread
    ]


def no_longer_pending(work: WorkPlan, raw: Place) -> int:
    """Return how many pending calls of a work plan are no longer pending."""
    still = {
        (stream.table, day.account, one)
        for stream, span in work.spans
        for day in pending(raw, stream, span)
        for one in day.ids
    }
    return len(work.pending - still)
