"""What a vendor's refusal means, and how it may be told: one sentence fit for a log."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar

import msgspec

from pipelines.planning.reasons import AUTH, EXPIRED, OTHER

GONE = "no longer served"
"""Ends the sentence of a refusal that will never become an answer."""


class VendorError(Exception):
    """A vendor did not answer, or answered what cannot be loaded.

    ``stops_account`` says that asking on is pointless until somebody acts or time
    passes: a credential, an address, a quota. ``lacks_scope`` says that the vendor
    knows the account and does not grant it this one listing; ``is_gone``, that it no
    longer has what was asked for; ``is_bad_question``, that it refuses a parameter,
    and may answer to others.
    """

    def __init__(
        self,
        sentence: str,
        *,
        stops_account: bool = False,
        lacks_scope: bool = False,
        is_gone: bool = False,
        is_bad_question: bool = False,
        reason: str = OTHER,
    ) -> None:
        """Keep the sentence an operator will read."""
        super().__init__(sentence)
        self.reason = EXPIRED if is_gone else reason
        self.stops_account = stops_account
        self.lacks_scope = lacks_scope
        self.is_gone = is_gone
        self.is_bad_question = is_bad_question


class PassingError(VendorError):
    """Worth another try, after ``wait`` seconds if the vendor named a time."""

    def __init__(
        self, sentence: str, *, wait: float | None = None, stops_account: bool = False
    ) -> None:
        """Keep how long the vendor asks to wait, in seconds; None: it did not say."""
        super().__init__(sentence, stops_account=stops_account)
        self.wait = wait


class SignInError(PassingError):
    """Nobody could be signed in; ``since`` is when that began, of a monotonic clock.

    Without a token no window of the account can be read, whatever the reason is.
    """

    def __init__(
        self, sentence: str, *, wait: float | None = None, since: float = 0.0
    ) -> None:
        """Keep since when signing in fails."""
        super().__init__(sentence, wait=wait, stops_account=True)
        self.reason = AUTH
        self.since = since


class ExpiredPageError(VendorError):
    """A later page of a list was refused: its token has ended, its question is old."""


class TooMuchError(PassingError):
    """The question has a longer answer than the vendor gives; half of it may not."""


@dataclass(frozen=True)
class Refusal:
    """What a vendor's own error body means for us."""

    kind: Literal[
        "retry",
        "too_much",
        "bad_question",
        "sign_in",
        "no_scope",
        "gone",
        "stop_account",
        "stop_window",
    ]
    words: str

    def of(self, message: str) -> "Refusal":
        """Return this meaning of a vendor's message, with these words at its end."""
        return replace(self, words=f"{message}{self.words}")


Refused = Callable[[int, bytes], Refusal | None]
"""Reads (status, body) as the vendor words its errors; None when it is not an error."""


_Shape = TypeVar("_Shape")


def decoded(body: bytes, shape: type[_Shape]) -> _Shape | None:
    """Return an error body in its vendor's shape; None where it has another one."""
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


_JOINERS = "\u200c\u200d"
"""Parts of words in Persian and Hindi, and of emoji; they steer nothing."""
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
    """Make a vendor's words fit for a log: short, one line, no number, no key."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text[:2000])
    # What cannot be seen may stand between the digits of a number.
    line = "".join(one for one in line if unicodedata.category(one) not in {"Cf", "Cs"})
    for pattern, instead in _PRIVATE:
        line = re.sub(pattern, instead, line)
    return line[:200].strip()


def escaped(text: str) -> str:
    """Return a text with all spelled out that could steer a terminal or a reader."""
    if text.isprintable():
        return text
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in _STEERING and one not in _JOINERS
        else one
        for one in text
    )


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return what a vendor's clock shows; None: it does not say, or not readably.

    What comes out of a cache says when it was made, and how many seconds ago.
    """
    try:
        moment = parsedate_to_datetime(headers.get("Date", ""))
        age = timedelta(seconds=max(0, int(headers.get("Age", 0))))
        return moment.astimezone(UTC) + age if moment.tzinfo else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def seconds_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read every form of "come back later" that a vendor is known to use, in seconds.

    Retry-After as seconds (also with a fraction), as an HTTP date, as an ISO time
    (zoom.md, section 5); X-RateLimit-Remaining-Interval-Milliseconds (whippy.md,
    section 5). None: not said.
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
