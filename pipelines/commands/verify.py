"""Compare what is stored with what was loaded, and with what its vendor counts.

Three counts of every window that is held are compared: what its last complete reading
brought, what the raw file holds of it now, and the vendor's total today, for which
only the first page of a question is asked. Calls that are held and are not in the
published tables are a fourth. Nothing is written and nothing is mended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.config.model import Config, Vendor
from pipelines.load.audit import Counted, comparable, count, differences
from pipelines.load.loader import reading
from pipelines.planning.request_budget import spent_today
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Interval, overlaps
from pipelines.sources import streams_of
from pipelines.warehouse.ledger import HeldWindow, held_windows, past_reads
from pipelines.warehouse.locks import only_one
from pipelines.warehouse.migration import refuse_other_tables
from pipelines.warehouse.records import unbuilt

LOST, DIFFERENT, UNKNOWN, UNBUILT = "lost", "different", "unknown", "unbuilt"


@dataclass(frozen=True)
class Finding:
    """A window of which not all counts are the same."""

    vendor: str
    account: str
    table: str
    start: datetime
    end: datetime
    kind: str
    """lost: fewer are held than came; different: the vendor has another number;
    unknown: the vendor did not say; unbuilt: not in the published tables."""
    held: int
    expected: int | None
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """What was compared, and what did not agree."""

    vendor: str
    windows: int
    records: int
    requests: int
    findings: tuple[Finding, ...]


def verify(
    vendor: Vendor, config: Config, now: datetime, span: Interval | None = None
) -> Verdict:
    """Compare what is held of a vendor, in a span or everywhere, with what should be.

    Raises `pipelines.warehouse.locks.LockedError` while the vendor is being loaded.
    """
    lock = config.warehouse.vendor_lock(vendor.name)
    streams = [one for one in streams_of(vendor.name) if one.is_by_own_time]
    with (
        only_one(lock, f"loading {vendor.name}"),
        reading(config.warehouse, vendor.name) as raw,
    ):
        held = [
            window
            for stream in streams
            for window in held_windows(raw, stream)
            if span is None or overlaps((window.start, window.end), span)
        ]
        found = list(_lost(vendor, held))
        lost = {(one.account, one.table, one.start) for one in found}
        requests = 0
        reads = past_reads(raw)
        for account in vendor.accounts:
            own = comparable(vendor, account, held)
            spent = spent_today(reads, account.alias, now)
            counted = count(account, own, now, spent)
            requests += counted.requests
            found += [
                finding
                for finding in _different(vendor, own, counted)
                if (finding.account, finding.table, finding.start) not in lost
            ]
        found += _unbuilt(vendor, config, raw, streams, span)
    return Verdict(
        vendor.name,
        len(held),
        sum(window.rows_held for window in held),
        requests,
        tuple(sorted(found, key=lambda one: (one.account, one.table, one.start))),
    )


def _lost(vendor: Vendor, held: Sequence[HeldWindow]) -> Iterator[Finding]:
    for window in held:
        if window.rows_held < window.rows_inside:
            yield _finding(vendor, window, LOST, window.rows_held, window.rows_inside)


def _different(
    vendor: Vendor, own: Sequence[HeldWindow], counted: Counted
) -> Iterator[Finding]:
    has_some = any(counted.totals.values())
    for one in differences(own, counted.totals):
        kind = UNKNOWN if one.counted is None else DIFFERENT
        # A vendor that counts fewer has deleted some, or answers nothing at all.
        is_fewer = one.counted is not None and one.counted < one.expected
        yield _finding(
            vendor,
            one.windows[0],
            kind,
            one.expected,
            one.counted,
            confirms=is_fewer and has_some,
        )


def _unbuilt(
    vendor: Vendor,
    config: Config,
    raw: Path,
    streams: Sequence[Stream],
    span: Interval | None,
) -> Iterator[Finding]:
    published = config.warehouse.published
    for stream in {one.table: one for one in streams if one.calls}.values():
        if not published.exists():
            continue
        refuse_other_tables(published)
        for account, day, calls in unbuilt(raw, published, vendor.name, stream):
            if span is None or overlaps((day, day + DAY), span):
                remedy = "callhouse transform --full"
                whole = (vendor.name, account, stream.table, day, day + DAY)
                yield Finding(*whole, UNBUILT, 0, calls, remedy)


def _finding(
    vendor: Vendor,
    window: HeldWindow,
    kind: str,
    held: int,
    expected: int | None,
    *,
    confirms: bool = False,
) -> Finding:
    last = window.end - timedelta(microseconds=1)
    flags = "--force --confirm-deletions" if confirms else "--force"
    remedy = (
        f"callhouse backfill {flags} --vendor {vendor.name} "
        f"--from {window.start:%Y-%m-%d} --to {last:%Y-%m-%d}"
    )
    return Finding(
        vendor.name,
        window.account,
        window.stream.table,
        window.start,
        window.end,
        kind,
        held,
        expected,
        remedy,
    )
