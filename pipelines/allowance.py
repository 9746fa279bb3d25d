"""What one account may ask: so many requests a second, so many a day, of all threads.

A vendor counts an account's requests, not a window's: windows that are read at the
same time share one pace and one quota.
"""

import threading
import time


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
