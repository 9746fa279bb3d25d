"""What one account may ask, and how long a run waits for its vendor in all.

A vendor counts an account's requests, not a window's: windows that are read at the
same time share one pace and one quota.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from pipelines.planning.windows import CLOCKS_APART


class SpentError(Exception):
    """The quota of the day is used up."""


class Allowance:
    """The pace and the quota of one account."""

    def __init__(
        self, requests_per_second: float, daily_requests: int, requests_today: int
    ) -> None:
        """Start with ``requests_today`` spent of ``daily_requests``; 0 is no quota."""
        self.daily_requests = daily_requests
        self._spent = requests_today
        self._pause = 1.0 / requests_per_second
        self._next_at = 0.0
        self._turn = threading.Lock()

    def take(self) -> None:
        """Wait for the next request's turn; raises `SpentError` when none is left."""
        with self._turn:
            if self.daily_requests and self._spent >= self.daily_requests:
                raise SpentError
            self._spent += 1
            begin = max(time.monotonic(), self._next_at)
            self._next_at = begin + self._pause
        time.sleep(max(0.0, begin - time.monotonic()))


class VendorRun:
    """What one run has gone through with one vendor, over all its accounts."""

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        as_of: datetime | None = None,
    ) -> None:
        """Start with nothing lost and nothing heard.

        ``clock`` is the run's, and is compared with the vendor's; ``as_of`` is the time
        that its operator gave instead of the machine's: that may be a past one.
        """
        self._clock = clock
        self._as_of = as_of
        self.behind = timedelta()
        """How far the vendor's clock was behind the run's at most."""
        self.clock_trouble: str | None = None
        """Why nothing of this run can be relied on, once two clocks have differed."""
        self.lost_seconds = 0.0
        """Waits, and answers that never came; side by side a second counts once."""
        self.warnings: list[str] = []
        """What an operator should know though every window may be in."""
        self._counted_until = 0.0
        self._turn = threading.Lock()

    def lose(self, began: float) -> None:
        """Count the time from ``began``, of the monotonic clock, until now."""
        with self._turn:
            now = time.monotonic()
            self.lost_seconds += max(0.0, now - max(began, self._counted_until))
            self._counted_until = now

    def compare_clocks(self, theirs: datetime) -> None:
        """Compare the run's clock with what the vendor's has just shown.

        A run as of a past time is what its operator wants; one as of a time that the
        vendor has not reached would take for complete what is still to come.
        """
        if self._clock is None:
            return
        # A given time need not go on: nobody's clock was running then.
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
        """Keep a sentence, once."""
        with self._turn:
            if sentence not in self.warnings:
                self.warnings.append(sentence)
