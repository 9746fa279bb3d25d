"""Half-open UTC windows of time, and the arithmetic on them: no I/O, no clock.

Every load reads windows ``[start, end)``. The planner cuts, merges and subtracts
intervals; the sources see only the windows that result.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from transforms.runner import times

Interval: TypeAlias = tuple[datetime, datetime]
"""``(start, end)``, both aware; the end is not part of it."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
EVER_SO_SHORT = timedelta.resolution
"""The shortest time that there is, between a moment and the next one."""
CLOCKS_APART = timedelta(minutes=10)
"""Two clocks that differ by more are not both right."""


@dataclass(frozen=True, order=True)
class Window:
    """A range of time of one stream to read from a vendor: ``[start, end)``."""

    start: datetime
    end: datetime
    stream: str
    purpose: str = "backfill"
    """Why it is read: nightly, lookback, retry, settle, backfill, recheck or audit."""
    attempt: int = 1
    ids: tuple[str, ...] = ()
    """Read only the records with these ids; empty: read all."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for times without a zone and for an empty range."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a window needs zoned times, got {self}")
        if self.start >= self.end:
            raise ValueError(f"a window ends after it starts, got {self}")

    def __str__(self) -> str:
        """Show the stream and both ends, to the minute."""
        by_id = f" ({len(self.ids)} by id)" if self.ids else ""
        ends = f"{self.start:%Y-%m-%d %H:%M}..{self.end:%Y-%m-%d %H:%M}Z"
        return f"{self.stream} {ends}{by_id}"

    def named(
        self, parameter: str, size: int, separator: str = ","
    ) -> list[dict[str, str]]:
        """Return the parameters with the ids, one set for each request.

        A request has at most ``size`` ids. A window without ids takes one request
        without this parameter.
        """
        parts = [self.ids[at : at + size] for at in range(0, len(self.ids), size)]
        return [{parameter: separator.join(part)} for part in parts] or [{}]


def utc(moment: datetime) -> datetime:
    """Return the same instant in UTC; raise `ValueError` if it has no zone.

    It is one of the standard library, also where ``moment`` is one of pendulum's, whose
    arithmetic is slow: the ends of a window are compared with each of its records.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    there = moment.astimezone(UTC)
    return datetime.combine(there.date(), there.time(), UTC)


def read_time(text: str, zone: str | None = None) -> datetime:
    """Return the time that a text says, in UTC, by the same rule as the models.

    ``zone`` is the time zone that the vendor documents for a time without an offset;
    with None such a time is a `ValueError`.
    """
    return times.read_time(text, zone)


def read_dotnet_time(text: str) -> datetime:
    """Return the moment, in UTC, of a time as .NET writes it or of any other form.

    The offset in ``/Date(1772454600000+0100)/`` means nothing. A time without one is
    in UTC.
    """
    if ticks := re.fullmatch(r"/Date\((-?\d{1,14})([+-]\d{4})?\)/", text):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(milliseconds=int(ticks[1]))
    return read_time(text, "UTC")


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that touch or overlap, in order of time."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def subtract(whole: Interval, parts: Iterable[Interval]) -> list[Interval]:
    """Return what is left of ``whole`` without ``parts``, in order of time."""
    left: list[Interval] = []
    start, end = whole
    for part_start, part_end in merge(parts):
        if part_start >= end:
            break
        if part_start > start:
            left.append((start, part_start))
        start = max(start, part_end)
    if start < end:
        left.append((start, end))
    return left


def split(interval: Interval) -> Iterator[Interval]:
    """Cut an interval at UTC midnights, so that all plans have the same days."""
    start, end = map(utc, interval)
    while start < end:
        cut = min(midnight(start) + DAY, end)
        yield start, cut
        start = cut


def midnight(moment: datetime) -> datetime:
    """Return the beginning of the UTC day that a moment lies in."""
    return utc(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def covers(intervals: Iterable[Interval], interval: Interval) -> bool:
    """Return True if the intervals together cover one completely."""
    return not subtract(interval, intervals)


def overlaps(left: Interval, right: Interval) -> bool:
    """Return True if two half-open intervals share an instant."""
    return left[0] < right[1] and right[0] < left[1]


def whole_days(
    first: datetime | None, last: datetime | None, now: datetime
) -> Interval | None:
    """Return the span of UTC days from the first to the last, both included."""
    if first is None and last is None:
        return None
    start = datetime(2000, 1, 1, tzinfo=UTC) if first is None else first
    end = now if last is None else min(last.replace(tzinfo=UTC), now) + DAY
    return start.replace(tzinfo=UTC), end


def day_windows(stream: str, start: str, end: str) -> list[Window]:
    """Return the daily windows of a stream from one ISO date to before another."""
    interval = (read_time(start, "UTC"), read_time(end, "UTC"))
    return [Window(*part, stream=stream) for part in split(interval)]
