"""The daily quota of requests: how much is used, and how much a plan needs. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipelines.planning.planner import PENDING_READ, PastRead
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Window, midnight


def used_today(reads: Iterable[PastRead], account: str, now: datetime) -> int:
    """Return how many requests an account has made since the last UTC midnight.

    Requests of a run that was killed before it stored its ledger are not known.
    """
    today = midnight(now)
    return sum(
        read.requests
        for read in reads
        if read.account == account and read.started_at >= today
    )


def expected_requests(
    streams: Iterable[Stream], windows: Sequence[Window], reads: Sequence[PastRead]
) -> int:
    """Return about how many requests an account's windows take, at least one each.

    It is estimated by the mean of the stream's earlier windows.
    """
    expected = 0
    for stream in streams:
        own = [window for window in windows if window.stream == stream.name]
        by_id = [
            -(-len(window.ids) // stream.ids_per_request)
            for window in own
            if window.ids
        ]
        past = [
            read.requests
            for read in reads
            if read.stream == stream.name
            and read.state == "complete"
            and read.purpose != PENDING_READ
        ]
        seen = {read.state for read in reads if read.stream == stream.name}
        # A stream that is not authorized is requested once a run: it may be by now.
        whole = min(len(own), 1) if seen == {"unreachable"} else len(own) - len(by_id)
        mean = sum(past) / len(past) if past else 1.0
        expected += sum(by_id) + max(whole, round(whole * mean))
    return expected


def days_needed(limit: int, used: int, requests: int) -> int:
    """Return how many UTC days the requests take under a quota, today included."""
    left = max(0, limit - used)
    if not limit or requests <= left:
        return 1 if requests else 0
    return 1 + -(-(requests - left) // limit)


def warning(limit: int, used: int, expected: int) -> str:
    """Return a warning that the plan needs more than is left of the quota, or ""."""
    left = max(0, limit - used)
    if not limit or expected <= left:
        return ""
    return (
        f"this needs about {expected} requests, and {left} are left of the "
        f"{limit} a day (daily_requests, until 00:00 UTC); what does not fit stays "
        "open, and the next run after that goes on from there"
    )
