"""How a request is signed: with a key that stays, or with a token that ends."""

import copy
import threading
import time
from collections import deque
from collections.abc import Callable

import requests
from requests.auth import AuthBase

from pipelines.extract.errors import AuthError, RetryableError, VendorError

SHARED_SECONDS = 600.0
"""A token that is lost twice in so short a time was ended by somebody else."""


class HeaderKey(AuthBase):
    """A key that never changes, sent in a header of its own."""

    def __init__(self, header: str, key: str) -> None:
        """Name the header and hold the key."""
        self.header = header
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers[self.header] = self._key
        return request


class BearerToken(AuthBase):
    """A token that expires: taken before it is needed, and again when refused.

    ``issue`` returns the token and its life in seconds. A session's cookie is such a
    token as well, in another ``header`` and without a ``scheme``. Where another program
    can end it by signing in, ``shared`` names what both use. Threads may share it.
    """

    def __init__(
        self,
        issue: Callable[[], tuple[str, float]],
        header: str = "Authorization",
        scheme: str = "Bearer ",
        shared: str = "",
    ) -> None:
        """Take nothing yet: a run with nothing to load signs in nowhere."""
        self.header = header
        self.scheme = scheme
        self.shared = shared
        self._issue = issue
        self._turn = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._losses: deque[float] = deque(maxlen=2)
        self._error: AuthError | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, renewing it in the last tenth or minute of its life.

        Raises `AuthError` where another try may help, and otherwise a `VendorError`
        that stops the account.
        """
        known = self._error
        with self._turn:
            if self._error is not None and self._error is not known:
                # Another thread has just tried in vain; its answer is this one's too.
                raise copy.copy(self._error)
            if time.monotonic() >= self._renew_at:
                self._renew()
            request.headers[self.header] = self._value
        return request

    def forget(self, refused: str) -> None:
        """Renew the token before the next request, if it is the one that was refused.

        Another thread may have renewed it since that request was signed.
        """
        with self._turn:
            if self._token and refused == self._value:
                self._token = ""
                self._renew_at = 0.0
                self._losses.append(time.monotonic())

    @property
    def is_ended_by_others(self) -> bool:
        """Return True if tokens that were just issued are refused again and again."""
        with self._turn:
            return (
                bool(self.shared)
                and len(self._losses) == self._losses.maxlen
                and time.monotonic() - self._losses[0] < SHARED_SECONDS
            )

    @property
    def _value(self) -> str:
        return f"{self.scheme}{self._token}"

    def _renew(self) -> None:
        began = time.monotonic() if self._error is None else self._error.since
        try:
            self._token, life = self._issue()
        except RetryableError as error:
            self._error = AuthError(
                f"cannot sign in: {error}", wait=error.wait, since=began
            )
            raise self._error from None
        except VendorError as error:
            error.stops_account = True
            raise
        self._error = None
        self._renew_at = time.monotonic() + life - min(60.0, life / 10)
