"""Half-open UTC windows of time, and the arithmetic on them: no I/O, no clock.

Every load is a question about a window ``[start, end)``. The planner covers, cuts
and subtracts them; the sources only ever see the result.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pendulum

from transforms.runner import times

Interval: TypeAlias = tuple[datetime, datetime]
"""``(start, end)``, both aware; the end is not part of it."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
CLOCKS_APART = timedelta(minutes=10)
"""Two clocks that differ by more are not both right."""


@dataclass(frozen=True, order=True)
class Window:
    """One question to a vendor stream: what happened in ``[start, end)``."""

    start: datetime
    end: datetime
    stream: str
    purpose: str = "backfill"
    """Why it is asked: nightly, lookback, retry, settle, backfill, recheck or audit."""
    attempt: int = 1
    ids: tuple[str, ...] = ()
    """Only these records of it, by their ids; none: all of them."""

    def __post_init__(self) -> None:
        """Refuse what no vendor could answer."""
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
        """Return what names the ids in each of the questions that a vendor needs.

        Each has at most ``size`` ids. A window without ids is one question that
        names none.
        """
        parts = [self.ids[at : at + size] for at in range(0, len(self.ids), size)]
        return [{parameter: separator.join(part)} for part in parts] or [{}]


def utc(moment: datetime) -> datetime:
    """Return the same instant in UTC; a moment without a zone is refused."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return pendulum.instance(moment).in_timezone("UTC")


def read_time(text: str, zone: str | None = None) -> datetime:
    """Return the moment, in UTC, that a text names, as the models read it too.

    ``zone`` is what the vendor's document says of a time without an offset; None
    means that such a time is an error.
    """
    return utc(times.read_time(text, zone))


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
    """Return what of ``whole`` none of ``parts`` covers, in order of time."""
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
    """Cut an interval at UTC midnights, so that any two plans ask for the same days."""
    start, end = interval
    while start < end:
        midnight = pendulum.instance(start).in_timezone("UTC").start_of("day")
        cut = min(midnight.add(days=1), end)
        yield start, cut
        start = cut


def covers(intervals: Iterable[Interval], interval: Interval) -> bool:
    """Return True if the intervals together cover the whole of one."""
    return not subtract(interval, intervals)


def overlaps(left: Interval, right: Interval) -> bool:
    """Return True if two half-open intervals share an instant."""
    return left[0] < right[1] and right[0] < left[1]


def whole_days(
    first: datetime | None, last: datetime | None, now: datetime
) -> Interval | None:
    """Return the span of UTC days from the first to the last, both part of it."""
    if first is None and last is None:
        return None
    start = datetime(2000, 1, 1, tzinfo=UTC) if first is None else first
    end = now if last is None else min(last.replace(tzinfo=UTC), now) + DAY
    return start.replace(tzinfo=UTC), end


def day_windows(stream: str, start: str, end: str) -> list[Window]:
    """Return the daily windows of a stream between two ISO dates, the end left out."""
    interval = (read_time(start, "UTC"), read_time(end, "UTC"))
    return [Window(*part, stream=stream) for part in split(interval)]
