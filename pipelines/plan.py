"""What to fetch: from the clock and the ledger to windows with a purpose. Pure.

One rule makes nightly, catch-up, retry and lookback: a window is settled by one
complete read that began a lookback after its end. Whatever of the asked history is
not settled is read tonight. So a missed week, a failed window and a killed run need
no case of their own, and a lookback counts from the last success by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pendulum

from pipelines.stream import Stream
from pipelines.windows import (
    Interval,
    Window,
    covers,
    overlaps,
    split,
    subtract,
)

PATIENCE_WITH_CLOCKS = timedelta(hours=1)
SETTLE = "settle"
"""The purpose of a question about a day's pending calls: it covers no window."""


class ClockError(Exception):
    """The clock says an earlier time than the ledger has seen."""


@dataclass(frozen=True)
class PastRead:
    """A row of the ledger: what is known of a window that was asked for before."""

    account: str
    stream: str
    interval: Interval
    purpose: str
    state: str
    started_at: datetime
    requests: int = 0


def history_start(
    configured: date | None, days: int, now: datetime, reads: Sequence[PastRead]
) -> datetime:
    """Return where the history begins: as configured, or where it once began.

    Without a configured start the first night decides, and later nights keep to it,
    so that an outage longer than ``days`` leaves no hole.
    """
    if configured is not None:
        return pendulum.datetime(configured.year, configured.month, configured.day)
    first = (
        pendulum.instance(now).in_timezone("UTC").start_of("day").subtract(days=days)
    )
    loaded = [r.interval[0] for r in reads if r.purpose != "backfill"]
    return min([first, *loaded])


def plan(
    stream: Stream,
    start: datetime,
    now: datetime,
    reads: Sequence[PastRead],
    lookback: timedelta | None = None,
) -> list[Window]:
    """Return the windows of one account's stream to read now, oldest first.

    ``reads`` are that account's; ``lookback`` is the vendor's setting. Raises
    `ClockError` when ``now`` lies before the newest read.
    """
    own = [read for read in reads if read.stream == stream.name]
    newest = max((read.started_at for read in own), default=now)
    own = [read for read in own if read.purpose != SETTLE]
    if newest - now > PATIENCE_WITH_CLOCKS:
        raise ClockError(
            f"the clock says {now:%Y-%m-%d %H:%M}Z, but {stream.name} was read at "
            f"{newest:%Y-%m-%d %H:%M}Z; set the clock or --now right"
        )
    until = pendulum.instance(now - stream.lag).in_timezone("UTC").start_of("minute")
    if stream.is_reference:
        whole_day = (until.start_of("day"), until.add(minutes=1))
        return [Window(*whole_day, stream.name, "nightly", _attempt(own, whole_day))]
    if stream.whole_months:
        start = pendulum.instance(start).in_timezone("UTC").start_of("month")
    complete = [read for read in own if read.state == "complete"]
    covered = [read.interval for read in complete]
    again = stream.lookback_or(lookback)
    settled = [
        read.interval
        for read in complete
        if read.started_at >= read.interval[1] + again
    ]
    failed = [read.interval for read in own if read.state != "complete"]
    return [
        Window(*part, stream.name, _purpose(part, covered, failed), _attempt(own, part))
        for gap in subtract((start, until), settled)
        for part in split(gap)
    ]


def _purpose(
    part: Interval, covered: Sequence[Interval], failed: Sequence[Interval]
) -> str:
    if covers(covered, part):
        return "lookback"
    return "retry" if any(overlaps(part, window) for window in failed) else "nightly"


def _attempt(own: Sequence[PastRead], part: Interval) -> int:
    return 1 + sum(read.interval[0] == part[0] for read in own)
