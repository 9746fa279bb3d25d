"""What the five histories share: seed, clock, arrivals, people, and the truth's shape.

A history is a function of (seed, vendor, account, UTC day) and never of the clock; the
clock only decides how much of it a vendor shows. What is made to happen to single
calls afterwards is in `Changes`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pipelines.sandbox.credentials import Credentials
from pipelines.sandbox.wire import Tokens

BEGINNING = date(2024, 1, 1)
FINAL_AFTER = timedelta(hours=120)
DAY = timedelta(days=1)

# Window edges are where a client loses or doubles calls: midnight in UTC and in the
# zone of Voximplant's account, noon, and the last second of a day.
EDGES = (
    timedelta(0),
    timedelta(hours=8),
    timedelta(hours=12),
    timedelta(hours=23, minutes=59, seconds=59),
    timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999),
)

PEOPLE = (
    "Ada Byrne",
    "Zoë Müller",
    "Иван Петров",
    "李小龙",
    "Siobhán O'Neill",
    "محمد علي",
    "Łukasz Żak",
    "Grace 📞 Park",
    "=SUM(A1:A9)",
    'O\'Brien, "Bo"; drop table calls --',
)
AREA_CODES = ("202", "303", "415", "617")


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
    leg_count: int | None
    vendor_outcome: str | None
    durations: dict[str, str] = field(default_factory=dict)
    """Seconds of its parts, as far as the vendor reports them."""


def generator(world: World, *names: object) -> Random:
    """Random numbers that depend on the seed and `names` alone."""
    return Random("/".join(map(str, (world.seed, *names))))


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


def arrivals(
    world: World, rng: Random, day: date, zone: ZoneInfo, share: float = 1.0
) -> list[datetime]:
    """Start times of a UTC day, ascending: office hours of `zone`, a few at night."""
    weight = (1.0, 0.35, 0.2)[max(0, day.weekday() - 4)]
    count = round(world.volume * share * weight * rng.uniform(0.85, 1.15))
    start = midnight(day)
    offset = start.astimezone(zone).utcoffset() or timedelta(0)
    moments = [start + _second_of_day(rng, offset) for _ in range(count)]
    for edge in EDGES if moments else ():
        if chance(rng, 0.5):
            moments[rng.randrange(count)] = start + edge
    return sorted(moments)


def _second_of_day(rng: Random, offset: timedelta) -> timedelta:
    if chance(rng, 0.08):
        return timedelta(microseconds=rng.randrange(86_400_000_000))
    local = rng.gauss(rng.choice((10.5, 15.0)), 1.6) * 3600
    micros = int((local - offset.total_seconds()) * 1_000_000)
    return timedelta(microseconds=micros % 86_400_000_000)


def chance(rng: Random, share: float) -> bool:
    """Whether something that happens in `share` of the cases happens now."""
    return rng.random() < share


def lasting(rng: Random, median: float, most: float = 7200.0) -> float:
    """Seconds of a conversation: lognormal, cut at `most`."""
    return min(rng.lognormvariate(math.log(median), 1.0), most)


def later(rng: Random, least: float, most: float) -> timedelta:
    """Return a delay between two numbers of seconds, in whole seconds."""
    return timedelta(seconds=rng.randint(int(least), int(most)))


def word(rng: Random, words: Sequence[str], weights: Sequence[int], odd: str) -> str:
    """One of the vendor's words; about once in 300 the word nobody has heard of."""
    if chance(rng, 1 / 300):
        return odd
    return rng.choices(words, weights)[0]


def amount(rng: Random, low: float, high: float) -> Decimal:
    """Return a price with three to six decimals."""
    places = rng.choice((3, 4, 6, 6))
    return Decimal(repr(round(rng.uniform(low, high), places)))


def uuid(rng: Random) -> str:
    """Return a random UUID of version 4."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def last_change(
    now: datetime, moments: Iterable[datetime | None], correction: Correction
) -> datetime | None:
    """Return the latest of a record's times of change that has come, if any has."""
    noted = (*moments, correction.noted_at)
    return max((one for one in noted if one and one <= now), default=None)


def phone(rng: Random) -> str:
    """Return a number from a range reserved for fiction, in E.164."""
    if chance(rng, 0.2):
        return f"+442079460{rng.randrange(1000):03d}"
    return f"+1{rng.choice(AREA_CODES)}55501{rng.randrange(100):02d}"


def party(rng: Random) -> str:
    """Return a caller: mostly a number, now and then anonymous or a SIP address."""
    if chance(rng, 0.03):
        return rng.choice(("anonymous", "Restricted", ""))
    if chance(rng, 0.03):
        return f"sip:user{rng.randrange(50)}@pbx.example.com"
    return phone(rng)


def maybe(rng: Random, record: dict[str, object], name: str, value: object) -> None:
    """Set an optional member: mostly the value, else null, empty text, or no key."""
    kind = rng.choices(("value", "null", "empty", "absent"), (90, 4, 3, 3))[0]
    if kind == "absent":
        return
    record[name] = {"value": value, "null": None, "empty": ""}[kind]


def whole_second(moment: datetime) -> datetime:
    """Return the moment, cut to the second."""
    return moment.replace(microsecond=0)


def thousandths(millis: int) -> Decimal:
    """Milliseconds as seconds, exactly."""
    return Decimal(millis).scaleb(-3)
