"""What the five histories draw at random: arrivals, people, words and amounts.

There are two worlds. In the hostile one now and then a word is unknown, a member is
missing, a name is a formula: what tests need. In the friendly one nothing is odd, and
prices follow from lengths: what is shown to people.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from pipelines.sandbox.world import World, midnight

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
PLAIN_PEOPLE = (
    "Ada Byrne",
    "Zoë Müller",
    "Ivan Petrov",
    "Xiaolong Li",
    "Siobhán O'Neill",
    "Mohamed Ali",
    "Łukasz Żak",
    "Grace Park",
    "Maria Rossi",
    "Tom Okafor",
)
MINUTE = 60
AREA_CODES = ("202", "303", "415", "617")


class Friendly(Random):
    """Random numbers of the friendly world, of which nothing odd is made."""


def generator(world: World, *names: object) -> Random:
    """Random numbers that depend on the seed and `names` alone."""
    kind = Friendly if world.is_friendly else Random
    return kind("/".join(map(str, (world.seed, *names))))


def is_friendly(rng: Random) -> bool:
    """Whether the numbers are those of the friendly world."""
    return isinstance(rng, Friendly)


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


def fault(rng: Random, share: float) -> bool:
    """Whether something odd happens now, which never does in the friendly world."""
    return chance(rng, share) and not is_friendly(rng)


def lasting(rng: Random, median: float, most: float = 7200.0) -> float:
    """Seconds of a conversation: lognormal, cut at `most`."""
    return min(rng.lognormvariate(math.log(median), 1.0), most)


def later(rng: Random, least: float, most: float) -> timedelta:
    """Return a delay between two numbers of seconds, in whole seconds."""
    return timedelta(seconds=rng.randint(int(least), int(most)))


def word(rng: Random, words: Sequence[str], weights: Sequence[int], odd: str) -> str:
    """One of the vendor's words; about once in 300 the word nobody has heard of."""
    if fault(rng, 1 / 300):
        return odd
    return rng.choices(words, weights)[0]


def amount(rng: Random, low: float, high: float) -> Decimal:
    """Return a price with three to six decimals."""
    places = rng.choice((3, 4, 6, 6))
    return Decimal(repr(round(rng.uniform(low, high), places)))


def price(seconds: float, a_minute: str) -> Decimal:
    """Return what so many seconds cost, each begun minute being paid for."""
    return Decimal(a_minute) * math.ceil(seconds / MINUTE)


def people(rng: Random) -> tuple[str, ...]:
    """Return ten names, those of the hostile world to be read with care."""
    return PLAIN_PEOPLE if is_friendly(rng) else PEOPLE


def uuid(rng: Random) -> str:
    """Return a random UUID of version 4."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def phone(rng: Random) -> str:
    """Return a number from a range reserved for fiction, in E.164."""
    if chance(rng, 0.2):
        return f"+442079460{rng.randrange(1000):03d}"
    return f"+1{rng.choice(AREA_CODES)}55501{rng.randrange(100):02d}"


def party(rng: Random) -> str:
    """Return a caller: mostly a number, now and then anonymous or a SIP address."""
    if fault(rng, 0.03):
        return rng.choice(("anonymous", "Restricted", ""))
    if fault(rng, 0.03):
        return f"sip:user{rng.randrange(50)}@pbx.example.com"
    return phone(rng)


def optional(rng: Random, record: dict[str, object], name: str, value: object) -> None:
    """Set an optional member: mostly the value, else null, empty text, or no key."""
    weights = (100, 0, 0, 0) if is_friendly(rng) else (90, 4, 3, 3)
    kind = rng.choices(("value", "null", "empty", "absent"), weights)[0]
    if kind == "absent":
        return
    record[name] = {"value": value, "null": None, "empty": ""}[kind]
