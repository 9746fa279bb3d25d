"""``callhouse verify``: compare stored records with loads and with vendors' totals.

For each stored window it compares three numbers of records: those that its last
complete read brought, those that are stored now, and the vendor's total today, for
which one page is requested. It also finds stored calls that are not in the published
tables. It changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.config.model import Config, Vendor
from pipelines.load.audit import Counted, comparable, count, differences
from pipelines.planning.request_budget import used_today
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Interval, overlaps
from pipelines.sources import streams_of
from pipelines.warehouse.ledger import StoredWindow, past_reads, stored_windows
from pipelines.warehouse.locks import only_one
from pipelines.warehouse.migration import locked_raw_file, refuse_other_tables
from pipelines.warehouse.records import unbuilt
from transforms.runner.storage import Place

MISSING, DIFFERENT, UNKNOWN, UNBUILT = "missing", "different", "unknown", "unbuilt"


@dataclass(frozen=True)
class Finding:
    """A window whose numbers of records differ."""

    vendor: str
    account: str
    table: str
    start: datetime
    end: datetime
    kind: str
    """missing: fewer are stored than came; different: the vendor has another number;
    unknown: the vendor did not say; unbuilt: not in the published tables."""
    stored: int
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
    """Compare the stored windows of a vendor, all or those in a span.

    Raises `pipelines.warehouse.locks.LockedError` while the vendor is being loaded.
    """
    lock = config.warehouse.vendor_lock(vendor.name)
    streams = [one for one in streams_of(vendor.name) if one.is_by_own_time]
    with (
        only_one(lock, f"loading {vendor.name}"),
        locked_raw_file(config.warehouse, vendor.name) as raw,
    ):
        stored = [
            window
            for stream in streams
            for window in stored_windows(raw, stream)
            if span is None or overlaps((window.start, window.end), span)
        ]
        found = list(_missing(vendor, stored))
        missing = {(one.account, one.table, one.start) for one in found}
        requests = 0
        reads = past_reads(raw)
        for account in vendor.accounts:
            own = comparable(vendor, account, stored)
            used = used_today(reads, account.alias, now)
            counted = count(account, own, now, used)
            requests += counted.requests
            found += [
                finding
                for finding in _different(vendor, own, counted)
                if (finding.account, finding.table, finding.start) not in missing
            ]
        found += _unbuilt(vendor, config, raw, streams, span)
    return Verdict(
        vendor.name,
        len(stored),
        sum(window.rows_stored for window in stored),
        requests,
        tuple(sorted(found, key=lambda one: (one.account, one.table, one.start))),
    )


def missing_windows(stored: Sequence[StoredWindow]) -> list[StoredWindow]:
    """Return the windows of which fewer records are stored than came."""
    return [one for one in stored if one.rows_stored < one.rows_inside]


def _missing(vendor: Vendor, stored: Sequence[StoredWindow]) -> Iterator[Finding]:
    for window in missing_windows(stored):
        yield _finding(vendor, window, MISSING, window.rows_stored, window.rows_inside)


def _different(
    vendor: Vendor, own: Sequence[StoredWindow], counted: Counted
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
    raw: Place,
    streams: Sequence[Stream],
    span: Interval | None,
) -> Iterator[Finding]:
    published = config.warehouse.tables
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
    window: StoredWindow,
    kind: str,
    stored: int,
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
        stored,
        expected,
        remedy,
    )
