"""What to read: from the clock and the ledger to windows with a purpose. Pure.

One rule gives nightly, catch-up, retry and lookback: a window is closed by one complete
read that began a lookback after its end. The next run reads everything in its history
that is not closed. A missed week, a failed window and a killed run are therefore no
special cases, and a lookback counts from the last success.

A read with a record that could not be read proves no deletion: that record may be the
missing one. Neither does one whose attempts all gave different records. So a window is
closed by such a read only when it was read once more, in case the vendor has corrected
the record, or the list is steady, by then.

A backfill is the same rule for another range. A run reads again what a backfill read
too early to close it, and otherwise keeps to its own history: only a backfill completes
a range that was backfilled in part.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pendulum

from pipelines.planning.reasons import CLOCK, UNSTEADY
from pipelines.planning.stream import Stream
from pipelines.planning.windows import (
    CLOCKS_APART,
    DAY,
    Interval,
    Window,
    merge,
    midnight,
    split,
    subtract,
    utc,
)

PENDING_READ = "settle"
"""The purpose of a read of a day's pending calls alone: it does not close a window."""
BACKFILL = "backfill"
AUDIT = "audit"
"""The purpose of a request for a window's total alone."""
NOT_WHOLE = frozenset({PENDING_READ, AUDIT})
"""The purposes that do not read the whole of a window."""
RECHECK = "recheck"
"""The purpose of a window that is read because stored records of it were missing."""
FRESH = DAY
"""What was read less than this ago is not read again by a backfill that goes on."""


class ClockError(Exception):
    """The clock says an earlier time than the ledger has seen."""


@dataclass(frozen=True)
class PastRead:
    """A row of the ledger: one earlier read of a window."""

    account: str
    stream: str
    interval: Interval
    purpose: str
    state: str
    started_at: datetime
    requests: int = 0
    records: int = 0
    seconds: float = 0.0
    """How long it took."""
    reason: str | None = None
    """Why it is not simply complete (`pipelines.planning.reasons`)."""
    load_no: int = 0
    """The number of the load that stored it; later loads have greater numbers."""
    unreadable: int = 0
    """How many of the records that came could not be read."""

    @property
    def is_proof(self) -> bool:
        """Return True if a stored record that did not come is known to be missing."""
        return not self.unreadable and self.reason != UNSTEADY


@dataclass(frozen=True)
class BackfillRequest:
    """What a backfill was started with: a range, and how to read it."""

    start: datetime
    end: datetime
    is_forced: bool = False
    """Read also closed windows, and those that the vendor no longer served."""
    newest_first: bool = True
    confirms_deletions: bool = False
    """The operator knows: what the vendor does not list in this range is deleted."""


@dataclass(frozen=True)
class _Known:
    """What the ledger says about one account's stream; overlapping intervals merged."""

    covered: list[Interval]
    """Read completely, at any time."""
    closed: list[Interval]
    """Read completely a lookback after its end, twice if the first read is no proof, or
    expired: nothing is left to read."""
    fresh: list[Interval]
    """Read completely within the last day."""
    incomplete: list[Interval]
    """Read, but not completely."""
    attempts: Counter[datetime]


def history_start(
    configured: date | None, days: int, now: datetime, reads: Sequence[PastRead]
) -> datetime:
    """Return where the history begins: as configured, or where the first run began.

    Without a configured start the first run decides and later runs keep to it, so that
    an outage longer than ``days`` leaves no gap. Lookbacks do not count here: they also
    read windows that a backfill brought, outside of the history.
    """
    if configured is not None:
        return datetime(configured.year, configured.month, configured.day, tzinfo=UTC)
    first = midnight(now) - days * DAY
    loaded = [r.interval[0] for r in reads if r.purpose in {"nightly", "retry"}]
    return min([first, *loaded])


def refuse_earlier(now: datetime, reads: Iterable[PastRead], vendor: str) -> None:
    """Raise `ClockError` if the clock is behind the newest read of a vendor.

    A few minutes do no harm, since loads are numbered. Reads that were refused because
    of the clock do not count.
    """
    times = (read.started_at for read in reads if read.reason != CLOCK)
    newest = max(times, default=now)
    if newest - now > CLOCKS_APART:
        raise ClockError(
            f"{vendor} is not loaded: the clock says {now:%Y-%m-%d %H:%M:%S}Z, but it "
            f"was loaded at {newest:%Y-%m-%d %H:%M:%S}Z; set this machine's clock or "
            "--now right and run again"
        )


def plan(
    stream: Stream,
    start: datetime,
    now: datetime,
    reads: Sequence[PastRead],
    lookback: timedelta | None = None,
    *,
    suspected: Iterable[datetime] = (),
) -> list[Window]:
    """Return the windows of one account's stream to read now, oldest first.

    ``reads`` are those of the account, ``lookback`` is the vendor's setting.
    ``suspected`` are the times of stored records that were missing in an earlier run:
    their days are read again, after the others.
    """
    known = _known(stream, now, reads, lookback)
    if stream.is_full_refresh:
        return [_whole(stream, now, known, "nightly")]
    until = reach(stream, now)
    start = _beginning(stream, start)
    before = [
        (begin, min(end, start, until))
        for begin, end in known.covered
        if begin < min(start, until)
    ]
    windows = [
        Window(*part, stream.name, _purpose(part, known), 1 + known.attempts[part[0]])
        for whole in [*before, (start, until)]
        for gap in subtract(whole, _overlapping(known.closed, whole))
        for part in split(gap)
    ]
    planned = [(window.start, window.end) for window in windows]
    days = merge(
        (day, min(day + DAY, until)) for day in map(midnight, suspected) if day < until
    )
    return windows + [
        Window(*part, stream.name, RECHECK, 1 + known.attempts[part[0]])
        for day in days
        for gap in subtract(day, planned)
        for part in split(gap)
    ]


def plan_backfill(
    stream: Stream,
    request: BackfillRequest,
    now: datetime,
    reads: Sequence[PastRead],
    lookback: timedelta | None = None,
) -> list[Window]:
    """Return the windows of one account's stream that a backfill has to read now.

    Windows that are closed, or were read within the last day, are left out, unless the
    request is forced. A window is a UTC day; today's ends before ``now``.
    """
    known = _known(stream, now, reads, lookback)
    known_parts = [] if request.is_forced else merge([*known.closed, *known.fresh])
    if stream.is_full_refresh:
        whole = _whole(stream, now, known, BACKFILL)
        today = (whole.start, whole.start + timedelta(minutes=1))
        return [] if _covers(known_parts, today) else [whole]
    windows = [
        Window(*part, stream.name, BACKFILL, 1 + known.attempts[part[0]])
        for part in days_of(stream, request, now)
        if not _covers(known_parts, part)
    ]
    return windows[::-1] if request.newest_first else windows


def days_of(
    stream: Stream, request: BackfillRequest, now: datetime
) -> Iterator[Interval]:
    """Yield the days of a stream that a request covers, none of them after ``now``."""
    whole = (_beginning(stream, request.start), min(request.end, reach(stream, now)))
    return split(whole)


def reach(stream: Stream, now: datetime) -> datetime:
    """Return until when a stream can be read, as a whole minute."""
    return utc(now - stream.availability_delay).replace(second=0, microsecond=0)


def _beginning(stream: Stream, start: datetime) -> datetime:
    if not stream.whole_months:
        return start
    return utc(pendulum.instance(start).in_timezone("UTC").start_of("month"))


def _whole(stream: Stream, now: datetime, known: _Known, purpose: str) -> Window:
    """Return the window of a stream that is read whole: today, until now."""
    until = reach(stream, now)
    today = midnight(until)
    attempt = 1 + known.attempts[today]
    end = until + timedelta(minutes=1)
    return Window(today, end, stream.name, purpose, attempt)


def _known(
    stream: Stream, now: datetime, reads: Sequence[PastRead], lookback: timedelta | None
) -> _Known:
    own = [read for read in reads if read.stream == stream.name]
    own = [read for read in own if read.purpose not in NOT_WHOLE]
    again = stream.lookback_or(lookback)
    complete = [read for read in own if read.state == "complete"]
    late = [read for read in complete if read.started_at >= read.interval[1] + again]
    times = Counter(read.interval for read in late)
    closed = [
        read.interval for read in late if read.is_proof or times[read.interval] > 1
    ]
    return _Known(
        covered=merge(read.interval for read in complete),
        closed=merge([*closed, *_expired(stream, own)]),
        fresh=merge(r.interval for r in complete if now - r.started_at < FRESH),
        incomplete=merge(read.interval for read in own if read.state != "complete"),
        attempts=Counter(read.interval[0] for read in own),
    )


def _expired(stream: Stream, own: Sequence[PastRead]) -> list[Interval]:
    """Return the windows that the vendor no longer serves, by the last read of each.

    Those of an optional stream do not count: the right to it may be granted by now.
    """
    if stream.is_optional:
        return []
    last = {
        read.interval: read.state
        for read in sorted(own, key=lambda read: (read.load_no, read.started_at))
    }
    return [interval for interval, state in last.items() if state == "unreachable"]


def _purpose(part: Interval, known: _Known) -> str:
    if _covers(known.covered, part):
        return "lookback"
    return "retry" if _overlapping(known.incomplete, part) else "nightly"


def _covers(merged: Sequence[Interval], part: Interval) -> bool:
    """Return True if one of the merged intervals covers a part completely."""
    at = bisect_right(merged, part[0], key=lambda interval: interval[0])
    return at > 0 and merged[at - 1][1] >= part[1]


def _overlapping(merged: Sequence[Interval], part: Interval) -> Sequence[Interval]:
    """Return the merged intervals that overlap a part."""
    first = bisect_right(merged, part[0], key=lambda interval: interval[1])
    last = bisect_right(merged, part[1], key=lambda interval: interval[0])
    return [one for one in merged[first:last] if one[0] < part[1]]
