"""Voximplant's call sessions with their legs, records and resources, at a moment."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from pipelines.sandbox import draw
from pipelines.sandbox.voximplant import lines
from pipelines.sandbox.world import BEGINNING, Correction, World, whole_second

LOCATION = ZoneInfo("America/Los_Angeles")
OFFICE = ZoneInfo("America/New_York")
FIRST_ID = 7_000_000_000

FINISHES = (
    "Normal termination",
    "Insufficient funds",
    "Internal error (billing timeout)",
    "Terminated administratively",
    "JS session error",
    "Timeout",
)
FINISH_WEIGHTS = (940, 5, 5, 5, 35, 10)
RUBLES_PER_DOLLAR = 90
CHILD_SHARE = 0.05
FIRST_CHILD_PLACE = 90_000
"""Of the places in a day's ids, those from here on are the child account's."""


@dataclass(frozen=True)
class Session:
    """One JS session, listed from its start; without duration and end until `ended`."""

    session_id: int
    start: datetime
    ended: datetime
    finish: str
    facts: dict[str, object]
    legs: tuple[lines.Line, ...]
    records: tuple[lines.Line, ...]
    resources: tuple[lines.Line, ...]
    is_of_child: bool = False


def currency(alias: str) -> str:
    """Currency of the account, as Voximplant writes it: RUR is the rouble."""
    return "RUR" if alias == "SECOND" else "USD"


def child(account: int) -> int:
    """Return the one child account of an account."""
    return account + 9_000_000


def history(world: World, alias: str, day: date) -> tuple[Session, ...]:
    """Every session that starts on the day, the child account's among them."""
    rng = draw.generator(world, "voximplant", alias, day)
    starts = map(whole_second, draw.arrivals(world, rng, day, OFFICE))
    number = world.aliases.index(alias)
    base = FIRST_ID + 100_000_000 * ((day - BEGINNING).days * 10 + number)
    ids = (base + place * 1000 for place in range(100_000))
    rate = RUBLES_PER_DOLLAR if currency(alias) == "RUR" else 1
    account = int(world.credentials[alias].voximplant_account_id)
    own = [
        _session(rng, start, number, account, rate)
        for start, number in zip(starts, ids, strict=False)
    ]
    # Of a generator of their own: the account's own sessions stay as they are.
    rng = draw.generator(world, "voximplant", alias, day, "child")
    arrivals = draw.arrivals(world, rng, day, OFFICE, CHILD_SHARE)
    of_child = [
        replace(
            _session(rng, start, base + place * 1000, child(account), rate),
            is_of_child=True,
        )
        for place, start in enumerate(map(whole_second, arrivals), FIRST_CHILD_PLACE)
    ]
    return tuple(sorted([*own, *of_child], key=lambda session: session.start))


def corrected(session: Session, correction: Correction) -> Session:
    """Return the session with every time of the conversation moved."""
    by = correction.by

    def moved(all_of: tuple[lines.Line, ...]) -> tuple[lines.Line, ...]:
        return tuple(
            replace(line, begun=line.begun + by, ended=line.ended + by)
            for line in all_of
        )

    return replace(
        session,
        start=session.start + by,
        ended=session.ended + by,
        legs=moved(session.legs),
        records=moved(session.records),
        resources=moved(session.resources),
    )


def _session(
    rng: Random, start: datetime, number: int, account: int, rate: int
) -> Session:
    short = draw.fault(rng, 0.3)
    seconds = rng.randint(0, 3) if short else int(draw.lasting(rng, 140))
    ended = start + timedelta(seconds=seconds)
    count = rng.choices((0, 1, 2, 3, 4), (3, 47, 30, 15, 5))[0]
    legs = [
        lines.leg(rng, start, ended, (number, place), rate) for place in range(count)
    ]
    if len(legs) > 1 and draw.chance(rng, 0.05):
        legs[1] = lines.mirror(legs[1], legs[0])
    records = [
        lines.record(rng, start, ended, (number, place), rate)
        for place in range(1 if legs and draw.chance(rng, 0.4) else 0)
    ]
    resources = [
        lines.resource(rng, start, ended, (number, place), rate)
        for place in range(rng.choices((0, 1, 2), (50, 35, 15))[0])
    ]
    if not legs:
        for used in resources:
            used.facts["ref_call_id"] = None
    for record in records:
        resources += lines.mirrored(rng, record, number)
        resources += lines.transcription(rng, record, number, rate)
    return Session(
        session_id=number,
        start=start,
        ended=ended,
        finish=draw.word(rng, FINISHES, FINISH_WEIGHTS, "Migrated"),
        facts=_facts(rng, number, account, inbound=bool(legs)),
        legs=tuple(legs),
        records=tuple(records),
        resources=tuple(resources),
    )


def _facts(
    rng: Random, number: int, account: int, *, inbound: bool
) -> dict[str, object]:
    facts: dict[str, object] = {
        "account_id": account,
        "application_id": 3_000_000_042,
        "application_name": "ivr.acme.example.com",
        "initiator_address": "203.0.113.10",
        "media_server_address": "198.51.100.7",
        "log_file_url": f"https://storage.example/logs/{number}.log",
        "audio_quality": draw.word(
            rng, ("Standard", "HD", "Ultra HD"), (80, 15, 5), "8K"
        ),
    }
    draw.optional(rng, facts, "rule_name", "inbound" if inbound else "api")
    draw.optional(
        rng, facts, "custom_data", rng.choice(("", "crm-17", "Zoë; née Müller"))
    )
    if not draw.chance(rng, 0.5):
        facts["user_id"] = rng.choice((None, 2_200_000_000 + rng.randrange(9)))
    return facts
