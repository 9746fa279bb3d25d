"""What a backfill would take, before it is begun: windows, requests, time, quota.

It writes nothing. Where nothing was read of a stream before, the vendor is asked for
its total of three of the days.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any, TypeAlias

from pipelines.config.model import Account, Config, Vendor
from pipelines.extract.errors import VendorError
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import Terms
from pipelines.load.loader import BATCH_WINDOWS, clock_from, known_reads
from pipelines.load.work_plan import backfill_work, streams_for
from pipelines.planning.planner import (
    SETTLE,
    BackfillRequest,
    ClockError,
    PastRead,
    plan_backfill,
    refuse_earlier,
)
from pipelines.planning.request_budget import days_needed, spent_today
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window
from pipelines.sources import connect
from pipelines.warehouse.opening import is_present
from pipelines.warehouse.paths import Warehouse

A_PACKAGE = 1.5
"""Seconds that it takes to store a batch."""

_Counted: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""By stream: ledger rows of the days whose total was asked for."""


@dataclass(frozen=True)
class StreamEstimate:
    """What one stream of one account would take."""

    vendor: str
    account: str
    stream: str
    windows: int
    held: int
    """Of them those that a backfill has no need to read."""
    to_read: int
    requests: int
    records: int | None
    """None where neither the ledger nor the vendor's total tells."""
    based_on: str
    """The windows read before, the vendor's totals, or a request a window."""


@dataclass(frozen=True)
class AccountEstimate:
    """What one account would take."""

    vendor: str
    account: str
    requests: int
    seconds: float
    daily_requests: int
    """0: no quota."""
    spent_today: int
    days: int
    """On how many days, for its quota."""


@dataclass(frozen=True)
class Estimate:
    """What a backfill of one vendor would take."""

    vendor: str
    streams: tuple[StreamEstimate, ...]
    accounts: tuple[AccountEstimate, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it would take, apart from waiting for a quota."""
        windows = sum(stream.to_read for stream in self.streams)
        packages = -(-windows // BATCH_WINDOWS)
        return packages * A_PACKAGE + sum(one.seconds for one in self.accounts)


def estimate(
    vendor: Vendor,
    config: Config,
    now: datetime,
    order: BackfillRequest,
    reads: Sequence[PastRead] | None = None,
) -> Estimate:
    """Return what a backfill would take, or what keeps it from being told.

    With ``reads`` these are taken for the ledger, and the vendor is not asked.
    """
    try:
        return _estimate(vendor, config, now, order, reads)
    except (ClockError, VendorError) as error:
        return Estimate(vendor.name, (), (), errors=(str(error),))


def _estimate(
    vendor: Vendor,
    config: Config,
    now: datetime,
    order: BackfillRequest,
    given: Sequence[PastRead] | None,
) -> Estimate:
    reads = _reads(config.warehouse, vendor.name) if given is None else given
    refuse_earlier(now, reads, vendor.name)
    work = backfill_work(vendor, order, now, reads)
    streams: list[StreamEstimate] = []
    accounts: list[AccountEstimate] = []
    errors: list[str] = []
    for account in vendor.accounts:
        own = [read for read in reads if read.account == account.alias]
        todo = [window for owner, window in work.windows if owner is account]
        spent = spent_today(own, account.alias, now)
        probes = list(_probes(account, todo, own)) if given is None else []
        counted = _count(account, probes, clock_from(now), spent)
        rows = [row for found in counted.values() for row in found]
        errors += [row["error"] for row in rows if row["state"] == "failed"]
        whole = BackfillRequest(order.start, order.end, is_forced=True)
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
        accounts.append(_account(account, requests, pace, spent))
    return Estimate(
        vendor.name,
        tuple(streams),
        tuple(accounts),
        work.warnings,
        tuple(dict.fromkeys(errors)),
    )


def _reads(warehouse: Warehouse, vendor: str) -> list[PastRead]:
    """Return the ledger; of a vendor never loaded, without a trace of having asked."""
    if not is_present(warehouse.raw(vendor)):
        return []
    return known_reads(warehouse, vendor)


def _past(stream: str, reads: Iterable[PastRead]) -> list[PastRead]:
    """Return the complete readings of whole days, or of what there is."""
    own = [
        read
        for read in reads
        if (read.stream, read.state) == (stream, "complete") and read.purpose != SETTLE
    ]
    return [read for read in own if read.interval[1] - read.interval[0] >= DAY] or own


def _probes(
    account: Account, todo: Sequence[Window], reads: Sequence[PastRead]
) -> Iterable[Window]:
    """Yield the first, the middle and the last day of every stream unread so far."""
    for stream in streams_for(account):
        own = [window for window in todo if window.stream == stream.name]
        if own and not stream.is_reference and not _past(stream.name, reads):
            yield from dict.fromkeys((own[0], own[len(own) // 2], own[-1]))


def _count(
    account: Account,
    windows: Sequence[Window],
    clock: Callable[[], datetime],
    spent: int,
) -> _Counted:
    if not windows:
        return {}
    terms = Terms(clock, keep_going=True, requests_today=spent, counts_only=True)
    source = dlt_source(
        account.alias, windows, connect(account.vendor, account.settings, terms), terms
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
        held=windows - len(todo),
        to_read=len(todo),
        requests=round(len(todo) * requests),
        records=None if records is None else round(len(todo) * records),
        based_on=based_on if todo else "",
    )


def _seconds_per_request(
    account: Account, reads: Iterable[PastRead], counted: Iterable[Mapping[str, Any]]
) -> float:
    """Return the configured pace, or what requests really took where that is more."""
    asked = [(read.seconds, read.requests) for read in reads] or [
        ((row["finished_at"] - row["started_at"]).total_seconds(), row["requests"])
        for row in counted
    ]
    requests = sum(number for _, number in asked)
    measured = sum(seconds for seconds, _ in asked) / requests if requests else 0.0
    return max(measured, 1 / account.settings.requests_per_second)


def _account(
    account: Account, requests: int, pace: float, spent: int
) -> AccountEstimate:
    limit = account.settings.daily_requests
    return AccountEstimate(
        account.vendor,
        account.alias,
        requests,
        seconds=round(requests * pace, 1),
        daily_requests=limit,
        spent_today=spent,
        days=days_needed(limit, spent, requests),
    )
