"""How a request is signed: with a key that stays, or with a token that ends."""

import threading
import time
from collections.abc import Callable

import requests
from requests.auth import AuthBase


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
    token as well, in another ``header`` and without a ``scheme``.
    """

    def __init__(
        self,
        issue: Callable[[], tuple[str, float]],
        header: str = "Authorization",
        scheme: str = "Bearer ",
    ) -> None:
        """Take nothing yet: a run with nothing to load signs in nowhere."""
        self.header = header
        self.scheme = scheme
        self._issue = issue
        self._turn = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, renewing it in the last tenth or minute of its life."""
        with self._turn:
            if time.monotonic() >= self._renew_at:
                self._token, life = self._issue()
                self._renew_at = time.monotonic() + life - min(60.0, life / 10)
            request.headers[self.header] = f"{self.scheme}{self._token}"
        return request

    def forget(self) -> None:
        """Renew the token before the next request."""
        self._renew_at = 0.0
