"""``callhouse backfill --dry-run``: estimate windows, requests, time and quota.

It stores nothing. For a stream of which no window was read before, it requests the
vendor's total of three days.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any, TypeAlias

from pipelines.config.model import Account, Config, Vendor
from pipelines.extract.errors import VendorError
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import PACKAGE_SECONDS, ReadOptions
from pipelines.load.loader import BATCH_WINDOWS, known_reads
from pipelines.load.turns import clock_from
from pipelines.load.work_plan import backfill_work, streams_for
from pipelines.planning.planner import (
    PENDING_READ,
    BackfillRequest,
    ClockError,
    PastRead,
    plan_backfill,
    refuse_earlier,
)
from pipelines.planning.request_budget import days_needed, used_today
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window
from pipelines.sources import connect
from pipelines.warehouse.opening import is_present
from pipelines.warehouse.paths import Warehouse

A_PACKAGE = 1.5
"""Seconds to store one load package."""

_Counted: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""By stream: the ledger rows of the days whose total was requested."""


@dataclass(frozen=True)
class StreamEstimate:
    """The estimate for one stream of one account."""

    vendor: str
    account: str
    stream: str
    windows: int
    stored: int
    """Windows that are stored and need not be read again."""
    to_read: int
    requests: int
    records: int | None
    """None: unknown, as no window was read before and the vendor gives no total."""
    based_on: str
    """The basis in words: windows read before, the vendor's totals, or neither."""


@dataclass(frozen=True)
class AccountEstimate:
    """The estimate for one account."""

    vendor: str
    account: str
    requests: int
    seconds: float
    daily_requests: int
    """0: no quota."""
    used_today: int
    days: int
    """UTC days that the quota makes necessary."""


@dataclass(frozen=True)
class Estimate:
    """The estimate for one vendor."""

    vendor: str
    streams: tuple[StreamEstimate, ...]
    accounts: tuple[AccountEstimate, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The duration in seconds, without waiting for a quota."""
        windows = sum(stream.to_read for stream in self.streams)
        reading = sum(one.seconds for one in self.accounts)
        by_time = reading // PACKAGE_SECONDS + 1 if windows else 0
        packages = max(by_time, -(-windows // BATCH_WINDOWS))
        return packages * A_PACKAGE + reading


def estimate(
    vendor: Vendor,
    config: Config,
    now: datetime,
    request: BackfillRequest,
    reads: Sequence[PastRead] | None = None,
) -> Estimate:
    """Return the estimate of a backfill, or one with only the error.

    ``reads`` replace the ledger; then no request is sent to the vendor.
    """
    try:
        return _estimate(vendor, config, now, request, reads)
    except (ClockError, VendorError) as error:
        return Estimate(vendor.name, (), (), errors=(str(error),))


def _estimate(
    vendor: Vendor,
    config: Config,
    now: datetime,
    request: BackfillRequest,
    given: Sequence[PastRead] | None,
) -> Estimate:
    reads = _reads(config.warehouse, vendor.name) if given is None else given
    refuse_earlier(now, reads, vendor.name)
    plan = backfill_work(vendor, request, now, reads)
    streams: list[StreamEstimate] = []
    accounts: list[AccountEstimate] = []
    errors: list[str] = []
    for account in vendor.accounts:
        own = [read for read in reads if read.account == account.alias]
        todo = [window for owner, window in plan.windows if owner is account]
        used = used_today(own, account.alias, now)
        probes = list(_probes(account, todo, own)) if given is None else []
        counted = _count(account, probes, clock_from(now), used)
        rows = [row for found in counted.values() for row in found]
        errors += [row["error"] for row in rows if row["state"] == "failed"]
        whole = BackfillRequest(request.start, request.end, is_forced=True)
        found = [
            _stream(
                account,
                stream,
                [window for window in todo if window.stream == stream.name],
                own,
                counted.get(stream.name, ()),
                windows=len(plan_backfill(stream, whole, now, own)),
            )
            for stream in streams_for(account)
        ]
        streams += found
        pace = _seconds_per_request(account, own, rows)
        requests = sum(stream.requests for stream in found)
        accounts.append(_account(account, requests, pace, used))
    return Estimate(
        vendor.name,
        tuple(streams),
        tuple(accounts),
        plan.warnings,
        tuple(dict.fromkeys(errors)),
    )


def _reads(warehouse: Warehouse, vendor: str) -> list[PastRead]:
    """Return the ledger; empty, and no file is made, for a vendor never loaded."""
    if not is_present(warehouse.raw(vendor)):
        return []
    return known_reads(warehouse, vendor)


def _past(stream: str, reads: Iterable[PastRead]) -> list[PastRead]:
    """Return the complete reads of whole days, or of shorter windows if none is."""
    own = [
        read
        for read in reads
        if (read.stream, read.state) == (stream, "complete")
        and read.purpose != PENDING_READ
    ]
    return [read for read in own if read.interval[1] - read.interval[0] >= DAY] or own


def _probes(
    account: Account, todo: Sequence[Window], reads: Sequence[PastRead]
) -> Iterable[Window]:
    """Yield the first, the middle and the last day of each stream never read before."""
    for stream in streams_for(account):
        own = [window for window in todo if window.stream == stream.name]
        if own and not stream.is_full_refresh and not _past(stream.name, reads):
            yield from dict.fromkeys((own[0], own[len(own) // 2], own[-1]))


def _count(
    account: Account,
    windows: Sequence[Window],
    clock: Callable[[], datetime],
    used: int,
) -> _Counted:
    if not windows:
        return {}
    options = ReadOptions(clock, keep_going=True, requests_today=used, counts_only=True)
    source = dlt_source(
        account.alias,
        windows,
        connect(account.vendor, account.settings, options),
        options,
    )
    counted: dict[str, list[Mapping[str, Any]]] = {}
    for table in source.with_resources("load_windows"):
        for row in table.to_pylist():
            if not row["split_of"]:
                counted.setdefault(row["stream"], []).append(row)
    return counted


def _stream(
    account: Account,
    stream: Stream,
    todo: Sequence[Window],
    reads: Sequence[PastRead],
    counted: Sequence[Mapping[str, Any]],
    *,
    windows: int,
) -> StreamEstimate:
    past = _past(stream.name, reads)
    states = {read.state for read in reads if read.stream == stream.name}
    states |= {row["state"] for row in counted}
    totals = [row["vendor_total"] for row in counted]
    known = [total for total in totals if total is not None]
    requests, records, based_on = 1.0, None, "a request a window"
    if past:
        based_on = f"{len(past)} windows read before"
        requests = fmean(max(1, read.requests) for read in past)
        records = fmean(read.records for read in past)
    elif known:
        based_on = f"the vendor's total of {len(known)} days"
        page = account.settings.page_size
        requests = fmean(max(1, -(-total // page)) for total in known)
        records = fmean(known)
    elif states == {"unreachable"}:
        based_on = "not granted, asked once"
        requests = 1 / max(1, len(todo))
    return StreamEstimate(
        account.vendor,
        account.alias,
        stream.name,
        windows=windows,
        stored=windows - len(todo),
        to_read=len(todo),
        requests=round(len(todo) * requests),
        records=None if records is None else round(len(todo) * records),
        based_on=based_on if todo else "",
    )


def _seconds_per_request(
    account: Account, reads: Iterable[PastRead], counted: Iterable[Mapping[str, Any]]
) -> float:
    """Return seconds per request: as configured, or as measured where that is more."""
    timed = [(read.seconds, read.requests) for read in reads] or [
        ((row["finished_at"] - row["started_at"]).total_seconds(), row["requests"])
        for row in counted
    ]
    requests = sum(number for _, number in timed)
    measured = sum(seconds for seconds, _ in timed) / requests if requests else 0.0
    return max(measured, 1 / account.settings.requests_per_second)


def _account(
    account: Account, requests: int, pace: float, used: int
) -> AccountEstimate:
    limit = account.settings.daily_requests
    return AccountEstimate(
        account.vendor,
        account.alias,
        requests,
        seconds=round(requests * pace, 1),
        daily_requests=limit,
        used_today=used,
        days=days_needed(limit, used, requests),
    )
