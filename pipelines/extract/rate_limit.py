"""The rate limit and daily quota of an account, and the waits of a run for a vendor.

Vendors count the requests of an account, so windows that are read at the same time
share one rate limit and one quota.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from pipelines.planning.windows import CLOCKS_APART


class QuotaUsedError(Exception):
    """The account has no request left of its daily quota."""


class RateLimit:
    """Spaces the requests of one account, and counts them against its daily quota."""

    def __init__(
        self, requests_per_second: float, daily_requests: int, requests_today: int
    ) -> None:
        """Start with ``requests_today`` used of ``daily_requests``; 0: no quota."""
        self.daily_requests = daily_requests
        self._used = requests_today
        self._pause = 1.0 / requests_per_second
        self._next_at = 0.0
        self._turn = threading.Lock()

    def take(self) -> None:
        """Wait until a request may be sent; raise `QuotaUsedError` if none is left."""
        with self._turn:
            if self.daily_requests and self._used >= self.daily_requests:
                raise QuotaUsedError
            self._used += 1
            begin = max(time.monotonic(), self._next_at)
            self._next_at = begin + self._pause
        time.sleep(max(0.0, begin - time.monotonic()))


class VendorRun:
    """The waits, clocks and warnings of one run with one vendor, of all accounts."""

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        as_of: datetime | None = None,
    ) -> None:
        """Start with no wait.

        ``clock`` is the run's clock, which is compared with the vendor's. ``as_of`` is
        the time that the operator set with --now; it may lie in the past.
        """
        self._clock = clock
        self._as_of = as_of
        self.behind = timedelta()
        """The most that the vendor's clock was behind the run's."""
        self.clock_trouble: str | None = None
        """Set once the two clocks differ too much: why this run must load no more."""
        self.waited_seconds = 0.0
        """Seconds of waits and of failed requests; parallel ones count once."""
        self.warnings: list[str] = []
        """Sentences for the operator, also if every window is complete."""
        self._counted_until = 0.0
        self._turn = threading.Lock()

    def add_waited(self, since: float) -> None:
        """Add the time from ``since``, in seconds of the monotonic clock, until now."""
        with self._turn:
            now = time.monotonic()
            self.waited_seconds += max(0.0, now - max(since, self._counted_until))
            self._counted_until = now

    def compare_clocks(self, theirs: datetime) -> None:
        """Compare the run's clock with the time in a vendor's response.

        A run as of a past time is allowed. One as of a time that the vendor has not
        reached would mark windows as complete whose calls are still to come.
        """
        if self._clock is None:
            return
        # A time set with --now stands still.
        ours = self._as_of or self._clock()
        with self._turn:
            ahead = ours - theirs
            self.behind = max(self.behind, ahead)
            is_apart = ahead > CLOCKS_APART or -ahead > CLOCKS_APART
            if is_apart and (ahead > timedelta() or self._as_of is None):
                self.clock_trouble = self.clock_trouble or (
                    f"the run's clock says {ours:%Y-%m-%d %H:%M:%S}Z and the vendor's "
                    f"{theirs:%Y-%m-%d %H:%M:%S}Z"
                )

    def warn(self, sentence: str) -> None:
        """Add a sentence to `warnings`, unless it is there already."""
        with self._turn:
            if sentence not in self.warnings:
                self.warnings.append(sentence)
