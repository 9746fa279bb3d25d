"""What to read from one vendor: every account's windows, then its pending calls.

For a backfill: what is not stored yet of its range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipelines.config.model import Account, Vendor
from pipelines.planning.deletion import Suspicion
from pipelines.planning.pending import PendingDay, days_in_doubt, pending_windows
from pipelines.planning.planner import BackfillRequest, PastRead, plan, plan_backfill
from pipelines.planning.request_budget import expected_requests, used_today, warning
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Interval, Window
from pipelines.sources import streams_of
from pipelines.warehouse.ledger import suspicions
from pipelines.warehouse.records import pending

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
    warnings: tuple[str, ...] = ()
    confirmed: Interval | None = None
    """The operator knows: what the vendor does not list in it is deleted."""


def nightly_work(
    vendor: Vendor, raw: Path, since: datetime, now: datetime, reads: Sequence[PastRead]
) -> WorkPlan:
    """Return the work plan of a run that begins ``now``."""
    planned: list[tuple[Account, Window]] = []
    again: list[tuple[Account, Window]] = []
    calls: set[_Call] = set()
    spans: list[tuple[Stream, Interval]] = []
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
        found = _pending(vendor, account, raw, now, reads=own, windows=windows)
        for stream, span, days in found:
            spans.append((stream, span))
            calls |= {
                (stream.table, account.alias, one) for day in days for one in day.ids
            }
            late = pending_windows(stream, days, own, account.settings.page_size)
            again += [(account, window) for window in late]
    all_windows = (*planned, *again)
    warnings = tuple(_quota_warnings(vendor, all_windows, now, reads))
    return WorkPlan(all_windows, frozenset(calls), tuple(spans), warnings)


def _pending(
    vendor: Vendor,
    account: Account,
    raw: Path,
    now: datetime,
    *,
    reads: Sequence[PastRead],
    windows: Sequence[Window],
) -> Iterator[tuple[Stream, Interval, list[PendingDay]]]:
    """Yield each stream with old pending calls, the span of its days, and these days.

    ``reads`` and ``windows``, those of the run, are the account's.
    """
    for stream in streams_for(account):
        days = days_in_doubt(
            stream,
            now,
            reads,
            windows,
            lookback=vendor.lookback,
            horizon=vendor.finality_horizon,
        )
        if days:
            span = days[0][0], days[-1][1]
            found = [
                day
                for day in pending(raw, stream, span)
                if day.account == account.alias and (day.start, day.end) in days
            ]
            yield stream, span, found


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


def no_longer_pending(work: WorkPlan, raw: Path) -> int:
    """Return how many pending calls of a work plan are no longer pending."""
    still = {
        (stream.table, day.account, one)
        for stream, span in work.spans
        for day in pending(raw, stream, span)
        for one in day.ids
    }
    return len(work.pending - still)
