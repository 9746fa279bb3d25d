"""Errors of a vendor's API, and their text as one sentence that is fit for a log."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple, TypeVar

import msgspec

from pipelines.planning.reasons import AUTH, EXPIRED, OTHER

NO_LONGER_SERVED = "no longer served"
"""The words in which a message says that a vendor has deleted days by their age."""


class VendorError(Exception):
    """A vendor did not answer, or its answer cannot be loaded.

    ``stops_account``: no other request of the account can succeed in this run, for a
    reason such as a credential, an address or a quota. ``lacks_scope``: the vendor
    does not grant the account this one list. ``is_expired``: it no longer has what was
    asked for. ``is_bad_request``: it rejects a parameter of this request. ``reason``
    is the word for the ledger (`pipelines.planning.reasons`).
    """

    def __init__(
        self,
        sentence: str,
        *,
        stops_account: bool = False,
        lacks_scope: bool = False,
        is_expired: bool = False,
        is_bad_request: bool = False,
        reason: str = OTHER,
    ) -> None:
        """Keep the sentence that an operator reads."""
        super().__init__(sentence)
        self.reason = EXPIRED if is_expired else reason
        self.stops_account = stops_account
        self.lacks_scope = lacks_scope
        self.is_expired = is_expired
        self.is_bad_request = is_bad_request


class RetryableError(VendorError):
    """A failure that another attempt may not have; the client retries it."""

    def __init__(
        self, sentence: str, *, wait: float | None = None, stops_account: bool = False
    ) -> None:
        """Keep the seconds that the vendor asks to wait; None: it does not say."""
        super().__init__(sentence, stops_account=stops_account)
        self.wait = wait


class AuthError(RetryableError):
    """Signing in failed, so no window of the account can be read.

    ``since`` is when that began, in seconds of the monotonic clock.
    """

    def __init__(
        self, sentence: str, *, wait: float | None = None, since: float = 0.0
    ) -> None:
        """Keep the wait in seconds, and since when signing in fails."""
        super().__init__(sentence, wait=wait, stops_account=True)
        self.reason = AUTH
        self.since = since


class ExpiredPageError(VendorError):
    """A later page of a list was rejected because its page token has expired."""


class ResultTooLargeError(RetryableError):
    """The window has more records than the vendor lists; half of it may not."""


@dataclass(frozen=True)
class ApiError:
    """An error that a vendor reports, and what follows from it for the load.

    ``kind``: retry the request; the result is too_large, so read the window in halves;
    bad_request, another request may succeed; auth, sign in again; no_scope, this list
    is not granted; absent, there is no such list; expired, the vendor no longer has it;
    stop_account or stop_window, read no more of it in this run. ``message`` is the
    vendor's own, made fit for a log.
    """

    kind: Literal[
        "retry",
        "too_large",
        "bad_request",
        "auth",
        "no_scope",
        "absent",
        "expired",
        "stop_account",
        "stop_window",
    ]
    message: str

    def of(self, message: str) -> "ApiError":
        """Return this error with a vendor's message before its own."""
        return replace(self, message=f"{message}{self.message}")


_Shape = TypeVar("_Shape")


class Reply(NamedTuple):
    """A vendor's reply to a request, in which its source looks for an error."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """Their names are found in any case."""

    def decoded(self, shape: type[_Shape]) -> _Shape | None:
        """Return the body as an instance of ``shape``; None: it has another shape."""
        try:
            return msgspec.json.decode(self.body, type=shape, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def text(self, *keys: str) -> str:
        """Return the text under ``keys``, one in the other, of the body; "": none."""
        found = self
        for key in keys:  # one level at a time: nothing else of a long list is decoded
            inner = found.decoded(dict[str, msgspec.Raw]) or {}
            found = self._replace(body=bytes(inner.get(key, b"")))
        return found.decoded(str) or ""


ClassifyError = Callable[[Reply], ApiError | None]
"""From a reply to the error that it reports; None: it reports none."""


def meaning_of(
    meanings: Mapping[int, ApiError],
    code: int,
    message: str,
    otherwise: ApiError | None = None,
) -> ApiError | None:
    """Return what a vendor's table says of a code, with its message before it."""
    meaning = meanings.get(code, otherwise)
    return meaning.of(message) if meaning else None


_JOINERS = "\u200c\u200d"
"""Joiners in Persian and Hindi words and in emoji; no terminal obeys them."""
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that move a cursor, turn text around or break a line."""
_PRIVATE_KEY = (
    "token|secret|passw(?:or)?d|pwd|key|auth[a-z]*|credentials?|signature|session"
    "|cookie"
)
_VALUE = r"(?:\"[^\"]*\"?|'[^']*'?|[^\s\"',;&}\]]+)"
_PRIVATE = (
    (r"(?i)\b([a-z][a-z0-9+.-]*://)\S+", r"\1…"),
    (r"(?i)\b(bearer|basic)\s+[^\s,;]+", r"\1 …"),
    (rf"(?i)((?:{_PRIVATE_KEY})[\w-]*[\"']?\s*[=:]\s*){_VALUE}", r"\1…"),
    (r"[^\s@<>()\[\]\"',;:]+(?:@|%40)[^\s@<>()\[\]\"',;:]+", "…"),
    (r"[\w\-+/=.]{24,}", "…"),
    (r"\+?\d(?:[\s()./_\u2010-\u2015\u2212\u00b7-]*\d){6,}", "…"),
    (r"(?<!\w)(?=[\w+/=-]*\d)(?=[\w+/=-]*[^\W\d_])[\w+/=-]{8,}", "…"),
)
"""URLs, signs of an account, addresses, keys, phone numbers, and mixed words."""


def clean(text: str) -> str:
    """Return a vendor's text fit for a log: 200 characters, one line, no secrets.

    URLs, credentials, e-mail addresses and phone numbers are replaced by "…".
    """
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text[:2000])
    # What cannot be seen may stand between the digits of a number.
    line = "".join(one for one in line if unicodedata.category(one) not in {"Cf", "Cs"})
    for pattern, instead in _PRIVATE:
        line = re.sub(pattern, instead, line)
    return line[:200].strip()


def escaped(text: str) -> str:
    """Return a text with its control characters written as Python escapes."""
    if text.isprintable():
        return text
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in _STEERING and one not in _JOINERS
        else one
        for one in text
    )


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the vendor's time from the header Date; None: absent or not a time.

    The header Age is added: a response from a cache has the date of its making.
    """
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
        age = timedelta(seconds=max(0, int(headers.get("Age", 0))))
        return moment.astimezone(UTC) + age if moment.tzinfo else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def seconds_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long a vendor asks to wait, in seconds; None: it does not ask.

    Retry-After as seconds (also with a fraction), as an HTTP date, as an ISO time
    (zoom.md, section 5); X-RateLimit-Remaining-Interval-Milliseconds (whippy.md,
    section 5).
    """
    milliseconds = headers.get("X-RateLimit-Remaining-Interval-Milliseconds", "")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", milliseconds.strip()):
        return float(milliseconds) / 1000
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)  # infinite where no float is as large
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return max(0.0, (moment - now).total_seconds())
        except (ValueError, OverflowError, TypeError, IndexError):
            continue  # the two readers fail in all of these ways
    return None
