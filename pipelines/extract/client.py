"""The HTTP client of one account: deadline, retries, rate limit, auth and errors.

Whatever goes wrong becomes one `VendorError`, whose message is fit for a log: it has
no query string, no body, no credential and no phone number.
"""

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from requests.cookies import extract_cookies_to_jar
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from pipelines.extract.address import is_loopback, trouble_with
from pipelines.extract.auth import BearerToken
from pipelines.extract.deadline import Adapter, Deadline
from pipelines.extract.errors import (
    NO_LONGER_SERVED,
    ApiError,
    AuthError,
    ClassifyError,
    Reply,
    ResultTooLargeError,
    RetryableError,
    VendorError,
    clean,
    date_of,
    seconds_to_wait,
)
from pipelines.extract.rate_limit import QuotaUsedError, RateLimit, VendorRun
from pipelines.planning.reasons import AUTH, CLOCK, OTHER, QUOTA
from pipelines.planning.windows import CLOCKS_APART

T = TypeVar("T")

# Its log lines hold whole URLs and headers.
logging.getLogger("urllib3").propagate = False

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
DEADLINE_SECONDS = 180.0
"""For one request and its whole response: a read timeout bounds one byte only."""
BODY_BYTES = 64 * 1024 * 1024
"""The largest decoded body: far above a page, far below a compression bomb."""
ATTEMPTS = 6
ATTEMPTS_WHEN_TOO_LARGE = 2
"""For a result that is too large: it will be too large again."""
LONGEST_BACKOFF = 60.0
"""In seconds."""
SIGN_IN_SECONDS = 60.0
"""An account for which signing in fails for so long is given up in this run."""
SIGN_IN_DEADLINE = 20.0
"""For one request to sign in; a few of them fit into `SIGN_IN_SECONDS`."""
PATIENCE_SECONDS = 600.0
"""A run that has waited this long for a vendor leaves the rest to the next run."""
CERTIFICATE_TROUBLE = {
    9: "is not valid yet; check this machine's clock",
    10: "has expired; only the vendor can renew it",
    62: "is made out for another host; check base_url",
    64: "is made out for another host; check base_url",
}
"""By OpenSSL's code; any other code: an issuer that this machine does not trust."""

MONTH = 30 * 86_400.0

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]
"""Adds credentials to a request, as in `requests`; `BearerToken` also renews them."""


_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL
)
"""Any escape in a JSON string; ``half`` is one half of a surrogate pair alone."""


def _decoded(body: bytes, shape: type[T]) -> T:
    """Decode a body, with U+FFFD for each half of a surrogate pair in it.

    A vendor that shortens a text may cut an emoji in two. No parser reads such a
    page, so one such record would make the whole page fail.
    """
    try:
        return msgspec.json.decode(body, type=shape, dec_hook=_as_itself)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPE.sub(lambda one: rb"\ufffd" if one["half"] else one[0], body)
        if mended == body:
            raise
        return msgspec.json.decode(mended, type=shape, dec_hook=_as_itself)


def _as_itself(kind: type[T], value: Any) -> T:  # noqa: ANN401
    """Make a type that msgspec does not know, such as a key, of what it has read."""
    made: Any = kind
    return made(value)  # type: ignore[no-any-return]


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing. Without any auth, `requests` would take credentials from .netrc."""
    return request


def _back_off(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    named = error.wait if isinstance(error, RetryableError) else None
    doubled: float = min(LONGEST_BACKOFF, 0.5 * 2.0**state.attempt_number)
    return doubled if named is None else named


CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
IN_A_HEADER = re.compile(rb"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
"""A header value that arrives unchanged: one line of ASCII without blanks around it."""
UNREACHABLE = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that libraries have wrapped in it."""
    left: list[object] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [one.__cause__, one.__context__, getattr(one, "reason", None)]
            left += one.args


class _Thread(threading.local):
    """What each thread of a client has of its own: connections and counts."""

    def __init__(self) -> None:
        self.sent = 0
        self.retries = 0
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, Adapter())
        self.session.headers.update(
            {"Accept": "application/json", "User-Agent": "callhouse"}
        )


class Client:
    """Sends the requests of one account, within its rate limit, and counts them.

    Raises `VendorError` for whatever goes wrong on the network, and nothing else.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        auth: Auth | None = None,
        *,
        requests_per_second: float = 5.0,
        classify_error: ClassifyError | None = None,
        read_seconds: float = READ_SECONDS,
        daily_requests: int = 0,
        requests_today: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
        run: VendorRun | None = None,
        is_sign_in: bool = False,
    ) -> None:
        """Open no connection yet.

        ``requests_per_second`` is the rate limit of the account, ``daily_requests`` its
        quota in a UTC day (0: none), ``requests_today`` what is used of it.
        ``patience_seconds`` is how long a run waits for the vendor in all; ``run``
        counts that for all clients of the run. ``is_sign_in`` sends a request once: the
        request that needs the token repeats it. Threads may share a client; each has
        its own connections and counts.
        """
        if trouble := trouble_with(base_url):
            raise VendorError(f"{vendor}: base_url {trouble}", stops_account=True)
        self.vendor = vendor
        self.base_url = base_url.rstrip("/")
        self._auth = auth or _unsigned
        self._classify_error = classify_error
        self._rate_limit = RateLimit(
            requests_per_second, daily_requests, requests_today
        )
        self._read_seconds = read_seconds
        self._patience = patience_seconds
        self._run = run or VendorRun()
        self._is_sign_in = is_sign_in
        self._is_loopback = is_loopback(urlsplit(base_url).hostname or "")
        self._own = _Thread()

    @property
    def sent(self) -> int:
        """How many requests this thread has sent, with retries."""
        return self._own.sent

    @property
    def retries(self) -> int:
        """How many of the sent requests were retries."""
        return self._own.retries

    @property
    def cookies(self) -> str:
        """The cookies of this thread's session, as the value of one header."""
        jar = self._own.session.cookies
        return "; ".join(f"{one.name}={one.value}" for one in jar)

    def ask(
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> T:
        """Send one request, with retries, and return its JSON decoded as ``shape``."""
        request = requests.Request(
            method,
            self.base_url + path,
            params=dict(params) if params else None,
            data=dict(data) if data else None,
            json=dict(json) if json is not None else None,
        )
        signed_in_again = False

        def once() -> T:
            nonlocal signed_in_again
            body = self._exchange(request, renew=not signed_in_again)
            signed_in_again = signed_in_again or body is None
            if body is None:
                raise RetryableError("signing in again", wait=0.0)
            return self._decode(body, shape, request.url)

        retrying = Retrying(
            retry=retry_if_exception_type(RetryableError),
            stop=self._is_given_up,
            wait=_back_off,
            before_sleep=self._before_retry,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(once)

    @property
    def warnings(self) -> list[str]:
        """Sentences for the operator, also if every window is complete."""
        return self._run.warnings

    def warn(self, sentence: str) -> None:
        """Add a sentence to the warnings of the run, unless it is there already."""
        self._run.warn(sentence)

    def _is_given_up(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        attempts = ATTEMPTS
        if isinstance(error, ResultTooLargeError):
            attempts = ATTEMPTS_WHEN_TOO_LARGE
        if isinstance(error, AuthError):
            ends = error.since + SIGN_IN_SECONDS
            if time.monotonic() + _back_off(state) > ends:
                return True
        return self._is_sign_in or state.attempt_number >= attempts

    def _before_retry(self, state: RetryCallState) -> None:
        self._own.retries += 1
        wait = state.next_action.sleep if state.next_action else 0.0
        error = state.outcome.exception() if state.outcome else None
        is_asked_for = isinstance(error, RetryableError) and error.wait is not None
        if is_asked_for and wait > self._patience:
            asked = f"{wait / 60:.0f} minutes" if wait < MONTH else "over a month"
            raise VendorError(
                f"{self.vendor} asks to wait {asked} (its quota is "
                "used up); what is loaded stays, the next run goes on from there",
                stops_account=True,
                reason=QUOTA,
            )
        # A try without a wait, with a new token for example, costs no patience.
        if wait and self._run.waited_seconds + wait > self._patience:
            raise VendorError(
                f"{error}; this run has waited {self._run.waited_seconds:.0f} s for "
                f"{self.vendor} and would have to wait on, longer than "
                f"patience_seconds = {self._patience:.0f} allows; what is loaded "
                "stays, the next run goes on from there",
                stops_account=True,
            )

    def _sleep(self, seconds: float) -> None:
        began = time.monotonic()
        time.sleep(seconds)
        self._run.add_waited(began)

    def _wait_for_turn(self) -> None:
        """Wait for the rate limit, and count a request; raise if the quota is used."""
        try:
            self._rate_limit.take()
        except QuotaUsedError:
            quota = self._rate_limit.daily_requests
            raise VendorError(
                f"the quota of {quota} requests a day of this "
                f"{self.vendor} account (daily_requests) is used up; it resets at "
                "00:00 UTC, what is loaded stays, a run after that goes on from there",
                stops_account=True,
                reason=QUOTA,
            ) from None
        self._own.sent += 1

    def _exchange(self, request: requests.Request, *, renew: bool) -> bytes | None:
        """Send once and return the body; None: retry it with a new token."""
        place = f"{self.vendor} ({urlsplit(self.base_url).netloc})"
        began = time.monotonic()
        self._refuse_clock(place)
        try:
            prepared = self._prepared(request, place)
            self._wait_for_turn()
            began = time.monotonic()
            response, body = self._sent(prepared, place)
        except RetryableError:
            self._run.add_waited(began)
            raise
        if (date := date_of(response.headers)) is not None:
            self._run.compare_clocks(date)
            self._refuse_clock(place)
        error = self._api_error(Reply(response.status_code, body, response.headers))
        if error is None:
            return body
        sentence = f"{place} {error.message}"
        if error.kind == "auth" and isinstance(self._auth, BearerToken):
            self._auth.invalidate(str(prepared.headers.get(self._auth.header)))
            if self._auth.is_ended_by_others:
                sentence = (
                    f"{place} ended two tokens within minutes of issuing them: another "
                    f"program seems to use this {self._auth.shared}; Callhouse needs "
                    "one of its own"
                )
                self.warn(sentence)
            if renew:
                return None
        if error.kind == "retry":
            wait = seconds_to_wait(response.headers, datetime.now(UTC))
            raise RetryableError(sentence, wait=wait)
        if error.kind == "too_large":
            raise ResultTooLargeError(sentence)
        if error.kind == "expired":
            raise VendorError(
                f"{sentence}; these days are {NO_LONGER_SERVED}", is_expired=True
            )
        raise VendorError(
            sentence,
            stops_account=error.kind not in {"stop_window", "bad_request", "absent"},
            lacks_scope=error.kind in {"no_scope", "absent"},
            is_bad_request=error.kind == "bad_request",
            reason=AUTH if error.kind == "auth" else OTHER,
        )

    def _refuse_clock(self, place: str) -> None:
        """Raise `VendorError` once the run's clock and the vendor's differ too much."""
        if self._run.clock_trouble is not None:
            raise VendorError(
                f"{place} is not loaded: {self._run.clock_trouble}, over "
                f"{CLOCKS_APART.seconds // 60} minutes apart; set this machine's clock "
                "or --now right and run again",
                stops_account=True,
                reason=CLOCK,
            )

    def _api_error(self, reply: Reply) -> ApiError | None:
        try:
            found = self._classify_error(reply) if self._classify_error else None
        except (RecursionError, ValueError):
            found = None  # decoding the body will raise
        if found is not None:
            return ApiError(found.kind, clean(found.message))
        status, body, _ = reply
        if status in RETRIED:
            return ApiError("retry", f"keeps answering HTTP {status}")
        if body.lstrip()[:1] == b"<" or status // 100 == 3:  # noqa: PLR2004
            message = "answered with a web page or a redirect, not with JSON: a "
            message += "login page, a proxy or a wrong base_url"
            return ApiError("stop_account", message)
        if status in {401, 403}:
            message = f"refused the credentials (HTTP {status}); check them"
            return ApiError("auth", message)
        if status != 200:  # noqa: PLR2004
            return ApiError("stop_window", f"answered HTTP {status}, not 200")
        return None

    def _prepared(
        self, request: requests.Request, place: str
    ) -> requests.PreparedRequest:
        """Add the credentials to a request.

        Raises `VendorError`, without the value, for one that no header can carry.
        """
        request.auth = self._auth
        try:
            prepared = self._own.session.prepare_request(request)
            sent = map(_as_bytes, prepared.headers.values())
            if all(map(IN_A_HEADER.fullmatch, sent)):
                return prepared
        except (requests.RequestException, ValueError):
            pass  # their texts hold the key
        raise VendorError(
            f"{place} cannot be asked: a setting, a key, or a token that it gave, has "
            "characters that do not belong there",
            stops_account=True,
        )

    def _sent(
        self, prepared: requests.PreparedRequest, place: str
    ) -> tuple[requests.Response, bytes]:
        """Send once and read the response, all within one deadline."""
        session, url = self._own.session, str(prepared.url)
        surroundings: dict[str, Any] = dict(
            session.merge_environment_settings(
                url, {}, stream=True, verify=None, cert=None
            )
        )
        if self._is_loopback:
            surroundings["proxies"] = {}  # no proxy reaches this machine for us
        seconds = SIGN_IN_DEADLINE if self._is_sign_in else DEADLINE_SECONDS
        timeout = (CONNECT_SECONDS, self._read_seconds)
        too_late = f"{place} took over {seconds:.0f} s for one answer"
        with Deadline(seconds) as deadline:
            try:
                # Not the session: it would follow a redirect up to its body.
                adapter = session.get_adapter(url)
                sent = adapter.send(prepared, timeout=timeout, **surroundings)
                with closing(sent) as response:
                    extract_cookies_to_jar(  # type: ignore[no-untyped-call]
                        session.cookies, prepared, response.raw
                    )
                    body = self._body(response, place)
            except (
                OSError,
                ValueError,
                HTTPException,
                urllib3.exceptions.HTTPError,
            ) as error:
                if deadline.is_over:
                    raise RetryableError(too_late) from None
                raise self._trouble(error, place) from None
        if deadline.is_over:  # then the end of the body may be ours, not the vendor's
            raise RetryableError(too_late)
        return response, body

    def _trouble(self, error: Exception, place: str) -> VendorError:
        """Return a network error as a `VendorError`, without its text: it has the URL.

        Everything is retried except a certificate that is not valid.
        """
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                trouble = CERTIFICATE_TROUBLE.get(
                    cause.verify_code,
                    "is signed by nobody whom this machine trusts; if that is a proxy "
                    "of your own, set REQUESTS_CA_BUNDLE to the file of its CA",
                )
                return VendorError(
                    f"{place} shows a TLS certificate that {trouble}",
                    stops_account=True,
                )
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, CUT_OFF):
                return RetryableError(
                    f"{place} does not agree on TLS ({cause.reason}); check base_url "
                    "and proxies",
                    stops_account=True,
                )
        for cause in _causes(error):
            if isinstance(cause, urllib3.exceptions.ProxyError):
                return RetryableError(
                    f"{place} cannot be reached through the proxy that the environment "
                    "names; check HTTPS_PROXY and NO_PROXY",
                    stops_account=True,
                )
            if isinstance(cause, UNREACHABLE):
                return RetryableError(
                    f"{place} cannot be reached; check base_url and the network",
                    stops_account=True,
                )
        *_, innermost = _causes(error)
        return RetryableError(f"{place} broke off: {type(innermost).__name__}")

    def _body(self, response: requests.Response, place: str) -> bytes:
        body = bytearray()
        # read1 returns what has arrived, and unpacks no more than that at once.
        while chunk := response.raw.read1(65536, decode_content=True):
            body += chunk
            if len(body) > BODY_BYTES:
                raise VendorError(
                    f"{place} sent more than {BODY_BYTES >> 20} MiB in one answer; "
                    "lower page_size"
                )
        return bytes(body)

    def _decode(self, body: bytes, shape: type[T], url: str | None) -> T:
        path = urlsplit(str(url)).path
        try:
            return _decoded(body.removeprefix(b"\xef\xbb\xbf"), shape)
        except RecursionError:
            raise VendorError(
                f"{self.vendor} {path} nests its answer too deeply to be read"
            ) from None
        except msgspec.ValidationError as error:
            raise VendorError(
                f"{self.vendor} {path} changed its shape: {clean(str(error))}"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RetryableError(
                f"{self.vendor} {path} answered {len(body)} bytes that are not JSON"
            ) from None
