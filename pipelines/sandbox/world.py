"""What the five histories share: seed, clock, changes, and the truth's shape.

A history is a function of (seed, vendor, account, UTC day) and never of the clock; the
clock only decides how much of it a vendor shows. What is made to happen to single
calls afterwards is in `Changes`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pipelines.sandbox.credentials import Credentials
from pipelines.sandbox.wire import Tokens

BEGINNING = date(2024, 1, 1)
FINAL_AFTER = timedelta(hours=120)
DAY = timedelta(days=1)


@dataclass
class Clock:
    """The moment every vendor believes it is."""

    now: datetime


@dataclass(frozen=True)
class Correction:
    """What a vendor changed of a call it had reported already."""

    by: timedelta = timedelta(0)
    """How much later the call began than reported at first."""
    noted_at: datetime | None = None
    """The time of change that the vendor put on it; None where it put none."""
    is_dated: bool = True
    """Whether the record still has its time of change."""
    erased_at: datetime | None = None
    """When the vendor erased what the record says of a person."""


@dataclass(frozen=True)
class Move:
    """A call that is in another place of the history than the one it was made in."""

    account: str
    made_on: date
    start: datetime
    correction: Correction


@dataclass
class Changes:
    """What happened to one vendor's calls, by id, and what it hides just now."""

    removed: set[str] = field(default_factory=set)
    moved: dict[str, Move] = field(default_factory=dict)
    listed_from: dict[str, datetime] = field(default_factory=dict)
    """When a call that is listed late is listed at last."""
    erased: dict[str, datetime] = field(default_factory=dict)
    """When the vendor erased what it knew of the person of a call."""
    undated: set[str] = field(default_factory=set)
    """Calls whose records have lost their time of change."""
    is_blank: bool = False
    """Whether every list is empty, though the calls are there: an outage."""
    blank_days: set[date] = field(default_factory=set)
    """The same for the calls of these UTC days alone."""
    revision: int = 0
    """Grows with every change."""

    def hides(self, day: date) -> bool:
        """Return whether the vendor's lists lack the calls of a day."""
        return self.is_blank or day in self.blank_days

    def unlisted(self, now: datetime) -> frozenset[str]:
        """Return the calls that are removed, or not listed yet."""
        late = {name for name, moment in self.listed_from.items() if now < moment}
        return frozenset(self.removed | late)


@dataclass(frozen=True)
class DateHeader:
    """The vendor's clock, as the Date headers of its answers show it."""

    ahead: timedelta = timedelta(0)
    text: str | None = None
    """Sent instead of a date."""
    is_sent: bool = True


@dataclass(frozen=True, eq=False)
class World:
    """One sandbox: what it was started with, its clock, and what it has handed out."""

    seed: int
    volume: int
    aliases: tuple[str, ...]
    clock: Clock
    credentials: dict[str, Credentials]
    public_key: str
    tokens: dict[str, Tokens]
    is_friendly: bool = False
    """Whether nothing is odd in its records, and prices follow from lengths."""
    scopes: set[str] = field(default_factory=set)
    """What the accounts have been granted beyond what every one of them may do."""
    changes: defaultdict[str, Changes] = field(
        default_factory=lambda: defaultdict(Changes)
    )
    """By vendor."""
    dates: defaultdict[str, DateHeader] = field(
        default_factory=lambda: defaultdict(DateHeader)
    )
    """By vendor."""
    lost_pages: set[str] = field(default_factory=set)
    """Page tokens that expired before their time."""
    pages: dict[str, Any] = field(default_factory=dict)
    """Lists under way, by the token of their next page."""

    def moment(self, day: date) -> datetime | None:
        """Return the cache key of a rendered day; None once nothing can change."""
        now = self.clock.now
        end = midnight(day) + DAY
        return None if now >= end + FINAL_AFTER else now


@dataclass(frozen=True)
class Truth:
    """What a vendor reports of one call at the clock, as the unified model has it."""

    vendor: str
    account: str
    vendor_call_id: str
    event_at: datetime
    started_at: datetime
    ended_at: datetime | None
    direction: str
    total_seconds: str | None
    cost: str | None
    currency: str | None
    lines: list[dict[str, str]]
    legs: Sequence[Mapping[str, str | None]]
    """Seconds and cost of each leg, attempt or stage, where the vendor says them."""
    vendor_outcome: str | None
    durations: dict[str, str] = field(default_factory=dict)
    """Seconds of its parts, as far as the vendor reports them."""
    answered_at: datetime | None = None
    payers: Sequence[Mapping[str, str | None]] = ()
    """Who pays for it, the nearest first: kind, id and name."""
    call_type: str | None = None
    """What kind of call it is, if not that of its direction."""
    outcome: str = "unknown"
    is_answered: bool | None = None
    is_abandoned: bool | None = None
    """None where the vendor does not say who ended a call that nobody took."""


def has_given_up(outcome: str, *, is_inbound: bool) -> bool | None:
    """Return whether the customer of a call did; None where nobody can know."""
    if outcome in {"unknown", "in_progress"}:
        return None
    if is_inbound and outcome in {"missed", "no_answer"}:
        return None
    return outcome == "abandoned"


def midnight(day: date) -> datetime:
    """First instant of a UTC day."""
    return datetime.combine(day, time(), UTC)


def days(since: datetime, until: datetime) -> Iterator[date]:
    """UTC days touching [since, until], none before the beginning of history."""
    last = until.astimezone(UTC).date()
    day = max(since.astimezone(UTC).date(), BEGINNING)
    while day <= last:
        yield day
        day += DAY


def last_change(
    now: datetime, moments: Iterable[datetime | None], correction: Correction
) -> datetime | None:
    """Return the latest of a record's times of change that has come, if any has."""
    noted = (*moments, correction.noted_at)
    return max((one for one in noted if one and one <= now), default=None)


def whole_second(moment: datetime) -> datetime:
    """Return the moment, cut to the second."""
    return moment.replace(microsecond=0)


def thousandths(millis: int) -> Decimal:
    """Milliseconds as seconds, exactly."""
    return Decimal(millis).scaleb(-3)
