"""Authentication of requests: a fixed key in a header, or a token that expires."""

import copy
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from pipelines.extract.errors import AuthError, RetryableError, VendorError

SHARED_SECONDS = 600.0
"""A token rejected twice within so many seconds was ended by another program."""

IssueToken: TypeAlias = Callable[[], tuple[str, float]]
"""Signs in, and returns the token and its life in seconds."""


def basic_auth(username: str, password: str) -> HTTPBasicAuth:
    """Return HTTP basic authentication, in UTF-8.

    They are given as bytes: `requests` would write text as Latin-1, or fail to.
    """
    return HTTPBasicAuth(username.encode(), password.encode())


class HeaderKey(AuthBase):
    """Sends a fixed key in a header."""

    def __init__(self, header: str, key: str) -> None:
        """Keep the name of the header and the key."""
        self.header = header
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers[self.header] = self._key
        return request


class BearerToken(AuthBase):
    """Sends a token that expires; it is renewed before its end and when rejected.

    ``issue`` signs in (`pipelines.extract.sign_in`). A session cookie is such a token
    in another ``header``, without a ``scheme``. If another program can end the token by
    signing in, ``shared`` names what both use, such as "app". Threads may share it.
    """

    def __init__(
        self,
        issue: IssueToken,
        header: str = "Authorization",
        scheme: str = "Bearer ",
        shared: str = "",
    ) -> None:
        """Do not sign in yet: a run that has nothing to load needs no token."""
        self.header = header
        self.scheme = scheme
        self.shared = shared
        self._issue = issue
        self._turn = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._rejections: deque[float] = deque(maxlen=2)
        self._error: AuthError | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, renewed in the last minute or tenth of its life.

        Raises `AuthError` if signing in may succeed later, and else a `VendorError`
        with ``stops_account``.
        """
        known = self._error
        with self._turn:
            if self._error is not None and self._error is not known:
                # Another thread has just failed to sign in; so would this one.
                raise copy.copy(self._error)
            if time.monotonic() >= self._renew_at:
                self._renew()
            request.headers[self.header] = self._value
        return request

    def invalidate(self, rejected: str) -> None:
        """Renew the token before the next request, if it is the one that was rejected.

        ``rejected`` is the header's value; another thread may have renewed it since.
        """
        with self._turn:
            if self._token and rejected == self._value:
                self._token = ""
                self._renew_at = 0.0
                self._rejections.append(time.monotonic())

    @property
    def is_ended_by_others(self) -> bool:
        """Return True if two tokens were rejected within `SHARED_SECONDS`."""
        with self._turn:
            return (
                bool(self.shared)
                and len(self._rejections) == self._rejections.maxlen
                and time.monotonic() - self._rejections[0] < SHARED_SECONDS
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
