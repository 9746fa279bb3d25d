"""Tell whether all that was loaded is still there, and its vendor says the same.

Three counts of every window that is held are compared: what its last complete reading
brought, what the raw file holds of it now, and the vendor's total today, for which
only the first page of a question is asked. Calls that are held and are not in the
published tables are a fourth. Nothing is written and nothing is mended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from pipelines.config import Account, Config, Vendor
from pipelines.ledger import HeldWindow, held_windows, past_reads, unbuilt
from pipelines.load import reading
from pipelines.locks import only_one
from pipelines.migration import refuse_other_tables
from pipelines.publish import PUBLISHED
from pipelines.quota import spent_today
from pipelines.reading import Terms
from pipelines.sources import open_source, streams_of
from pipelines.stream import Stream
from pipelines.windows import DAY, Interval, Window, overlaps

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

    Raises `pipelines.locks.LockedError` while the vendor is being loaded.
    """
    lock = config.warehouse / "locks" / f"{vendor.name}.run.lock"
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
        for account in vendor.accounts:
            own = _comparable(vendor, account, held)
            totals, asked = _totals(vendor, account, raw, own, now)
            requests += asked
            found += [
                finding
                for finding in _different(vendor, own, totals)
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


def _comparable(
    vendor: Vendor, account: Account, held: Sequence[HeldWindow]
) -> list[HeldWindow]:
    """Leave out what its vendor may rightly count otherwise today.

    A young window may have changed since and is read again anyway, a day that an
    archive has in part is in two places, and some vendors give no total.
    """
    own = sorted(
        (window for window in held if window.account == account.alias), key=_place
    )
    groups = [list(group) for _, group in groupby(own, _place)]
    return [
        window
        for windows in groups
        if not any(
            _is_young(vendor, one)
            or one.vendor_total is None
            or one.end != windows[0].end
            for one in windows
        )
        for window in windows
    ]


def _place(window: HeldWindow) -> tuple[str, datetime]:
    return window.stream.table, window.start


def _totals(
    vendor: Vendor,
    account: Account,
    raw: Path,
    held: Sequence[HeldWindow],
    now: datetime,
) -> tuple[dict[tuple[str, datetime], int | None], int]:
    """Ask the vendor for the total of each window, by stream and start."""
    spent = spent_today(past_reads(raw), account.alias, now)
    source = open_source(
        vendor.name,
        account.alias,
        {**account.settings, "page_size": 1},
        [Window(one.start, one.end, one.stream.name, "verify") for one in held],
        Terms(lambda: now, keep_going=True, requests_today=spent, counts_only=True),
    )
    rows = [
        row for table in source.resources["load_windows"] for row in table.to_pylist()
    ]
    totals = {(row["stream"], row["window_start"]): row["vendor_total"] for row in rows}
    return totals, sum(row["requests"] for row in rows)


def _different(
    vendor: Vendor,
    held: Sequence[HeldWindow],
    totals: dict[tuple[str, datetime], int | None],
) -> Iterator[Finding]:
    """Compare totals by table and day: streams of one table share its records.

    What a question returned beyond its window, the second more that is asked and the
    records in the quarantine, it returns today as well.
    """
    for _, group in groupby(held, _place):
        windows = list(group)
        first = windows[0]
        beyond = sum((one.vendor_total or 0) - one.rows_inside for one in windows)
        expected = first.rows_held + beyond
        said = [totals.get((one.stream.name, one.start)) for one in windows]
        told = [one for one in said if one is not None]
        if len(told) < len(said):
            yield _finding(vendor, first, UNKNOWN, expected, None)
        elif sum(told) != expected:
            yield _finding(vendor, first, DIFFERENT, expected, sum(told))


def _is_young(vendor: Vendor, window: HeldWindow) -> bool:
    again = window.stream.lookback_or(vendor.lookback)
    return window.read_at < window.end + again


def _unbuilt(
    vendor: Vendor,
    config: Config,
    raw: Path,
    streams: Sequence[Stream],
    span: Interval | None,
) -> Iterator[Finding]:
    published = config.warehouse / PUBLISHED
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
    vendor: Vendor, window: HeldWindow, kind: str, held: int, expected: int | None
) -> Finding:
    last = window.end - timedelta(microseconds=1)
    remedy = (
        f"callhouse backfill --force --vendor {vendor.name} "
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
