"""Which calls to read again because they are still pending after the lookback. Pure.

The rule is that of the lookback, with a longer time: a day is final after one complete
read that began a finality horizon after its end. Until then every run requests its
pending calls again, and only these: by their ids if that takes no more requests than
reading the day, else by reading the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.planning.planner import PENDING_READ, PastRead
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Interval, Window, midnight, split, subtract


@dataclass(frozen=True)
class PendingDay:
    """A UTC day of one account's table in which calls are pending."""

    account: str
    start: datetime
    records: int
    """How many records the day has, pending or not."""
    ids: tuple[str, ...]
    """The ids of those that are pending."""

    @property
    def end(self) -> datetime:
        """The next midnight."""
        return self.start + DAY


def days_in_doubt(
    stream: Stream,
    now: datetime,
    reads: Iterable[PastRead],
    planned: Iterable[Window],
    *,
    lookback: timedelta | None,
    horizon: timedelta,
) -> list[Interval]:
    """Return the UTC days whose pending calls a run has to request.

    ``reads`` and ``planned``, the windows of the run, are those of one account. A day
    that is read anyway is left out.
    """
    complete = [
        read for read in reads if (read.stream, read.state) == (stream.name, "complete")
    ]
    if not stream.pending or not complete:
        return []
    begin = min(read.interval[0] for read in complete)
    again = stream.lookback_or(lookback)
    end = midnight(now - max(again, stream.availability_delay))
    known = [
        read.interval
        for read in complete
        if read.started_at >= read.interval[1] + horizon
    ]
    known += [(one.start, one.end) for one in planned if one.stream == stream.name]
    if begin >= end:
        return []
    parts = (part for gap in subtract((begin, end), known) for part in split(gap))
    days = sorted({midnight(start) for start, _ in parts})
    return [(day, day + DAY) for day in days]


def pending_windows(
    stream: Stream,
    pending: Iterable[PendingDay],
    reads: Iterable[PastRead],
    page_size: int,
) -> list[Window]:
    """Return the windows that read one account's pending calls, one a day."""
    earlier = [
        read.interval[0]
        for read in reads
        if (read.stream, read.purpose) == (stream.name, PENDING_READ)
    ]
    return [
        Window(
            day.start,
            day.end,
            stream.name,
            PENDING_READ,
            1 + earlier.count(day.start),
            day.ids if _is_cheaper_by_id(stream, day, page_size) else (),
        )
        for day in pending
    ]


def _is_cheaper_by_id(stream: Stream, day: PendingDay, page_size: int) -> bool:
    if not stream.ids_per_request:
        return False
    requests, pages = (
        -(-count // size)
        for count, size in (
            (len(day.ids), stream.ids_per_request),
            (day.records, page_size),
        )
    )
    return requests <= pages
