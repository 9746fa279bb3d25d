"""Zoom Contact Center's engagements, and how one looks at a moment."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits
from zoneinfo import ZoneInfo

from pipelines.sandbox import draw
from pipelines.sandbox.world import Correction, World, whole_second

OFFICE = ZoneInfo("America/New_York")
LONGEST_LAG = timedelta(hours=59)

RESULTS = (
    "completed",
    "short_abandoned",
    "long_abandoned",
    "hold_abandoned",
    "long_calls",
    "short_calls",
    "hang_up_calls",
    "overflowed_to_disconnect",
    "overflowed_to_inbox",
    "overflowed",
    "abandon_quit",
    "auto_closed",
    "contained",
    "missed",
    "declined",
    "callback_abandoned_by_consumer",
)
RESULT_WEIGHTS = (600, 50, 40, 15, 20, 30, 20, 10, 20, 10, 20, 5, 40, 60, 15, 5)
TALKED = ("completed", "long_calls", "hold_abandoned", "short_calls")
TYPES = (
    "external_call",
    "external_conference_call",
    "internal_call",
    "internal_conference_call",
    "internal_callback_call",
)
TYPE_WEIGHTS = (90, 4, 3, 1, 1)
QUEUES = tuple(
    {"queue_id": f"q{n}GqH-{n}5xT8Cc0aVwR2yMkA", "queue_name": name}
    for n, name in enumerate(("Sales", "Support", "Facturación", "Приём"))
)
A_MINUTE = "0.019"
FLOW = {"flow_id": "zeYjXoDOS_eV1QmTpj63PQ", "flow_name": "Main menu"}
INTERNAL = ("internal_call", "internal_conference_call")
ALPHABET = f"{ascii_uppercase}{ascii_lowercase}{digits}-_"


@dataclass(frozen=True)
class Charge:
    """The charge's text and amount; `pending` is what stands there before `known_at`.

    A form is (present, text): absent, null and "" all mean no amount.
    """

    text: tuple[bool, str | None]
    amount: Decimal | None
    pending: tuple[bool, str | None]
    known_at: datetime


@dataclass(frozen=True)
class Engagement:
    """One engagement: shown from `visible_at`, priced from `charge.known_at`."""

    engagement_id: str
    start: datetime
    end: datetime
    visible_at: datetime
    direction: str
    result: str
    timed: bool
    charge: Charge
    facts: dict[str, object]
    legs: tuple[tuple[datetime, datetime, dict[str, object]], ...]
    is_whole: bool = False
    """Whether the other list knows every part of it."""


def history(world: World, alias: str, day: date) -> tuple[Engagement, ...]:
    """Every engagement that starts on the day."""
    rng = draw.generator(world, "zoom", alias, day)
    starts = map(whole_second, draw.arrivals(world, rng, day, OFFICE))
    calls = tuple(_with_kinds(_engagement(rng, start)) for start in starts)
    return tuple(map(_priced, calls)) if world.is_friendly else calls


def corrected(call: Engagement, correction: Correction) -> Engagement:
    """Return the engagement with every time of the conversation moved."""
    by = correction.by
    return replace(
        call,
        start=call.start + by,
        end=call.end + by,
        legs=tuple((begun + by, ended + by, leg) for begun, ended, leg in call.legs),
    )


def _with_kinds(call: Engagement) -> Engagement:
    """Return the engagement with the kinds of its later legs, some of them internal."""
    rng = Random(f"kinds/{call.engagement_id}")
    later = [rng.choice(INTERNAL)] if draw.chance(rng, 0.1) else []
    passed_on = "external_direct_transfer_call"
    sub_types = [passed_on] * (len(call.legs) - 1)
    types = [call.legs[0][2]["type"], *later]
    return replace(call, facts=call.facts | {"types": types, "sub_types": sub_types})


def _priced(call: Engagement) -> Engagement:
    """Return the engagement with prices that follow from the lengths of its legs."""
    prices = [
        draw.price((end - begun).total_seconds(), A_MINUTE)
        for begun, end, _ in call.legs
    ]
    legs = tuple(
        (begun, end, leg | {"charge": f"${price}"})
        for (begun, end, leg), price in zip(call.legs, prices, strict=True)
    )
    amount = sum(prices, Decimal(0))
    charge = replace(call.charge, text=(True, f"${amount:,}"), amount=amount)
    return replace(call, legs=legs, charge=charge, is_whole=True)


def _engagement(rng: Random, start: datetime) -> Engagement:
    callback = draw.fault(rng, 0.015)
    kind = draw.word(rng, TYPES, TYPE_WEIGHTS, "external_whisper_call")
    kind = "external_callback_call" if callback else kind
    result = draw.word(rng, RESULTS, RESULT_WEIGHTS, "rerouted_by_ai")
    talked = result in TALKED
    seconds = rng.uniform(3600, 72_000) if callback else draw.lasting(rng, 200, 14_400)
    end = start + timedelta(seconds=int(seconds if talked or callback else seconds / 6))
    visible_at = end + draw.later(rng, 5, 900)
    direction = rng.choices(("inbound", "outbound"), (75, 25))[0]
    legs = _legs(rng, start, end, direction, kind) if talked else ()
    legs = legs or ((start, end, _leg(rng, direction, kind, result)),)
    return Engagement(
        engagement_id="".join(rng.choices(ALPHABET, k=22)),
        start=start,
        end=end,
        visible_at=visible_at,
        direction=direction,
        result=result,
        timed=not draw.fault(rng, 1 / 400),
        charge=_charge(rng, start, visible_at, talked=talked),
        facts=_facts(rng, direction, kind, result, legs),
        legs=legs,
    )


def _legs(
    rng: Random, start: datetime, end: datetime, direction: str, kind: str
) -> tuple[tuple[datetime, datetime, dict[str, object]], ...]:
    legs = []
    for number in range(rng.choices((1, 2, 3, 4), (55, 30, 10, 5))[0]):
        begun = start + (end - start) * (number / 5)
        leg = _leg(rng, direction if number == 0 else "outbound", kind, "completed")
        legs.append((whole_second(begun), end, leg))
    return tuple(legs)


def _leg(rng: Random, direction: str, kind: str, result: str) -> dict[str, object]:
    queue = rng.choice(QUEUES)
    leg: dict[str, object] = {
        "call_leg": direction,
        "distribution": rng.choice(("acd", "non_acd")),
        "type": kind,
        "queue": {"cc_queue_id": queue["queue_id"], "queue_name": queue["queue_name"]},
        "agents": [rng.choice(_agents(draw.people(rng)))]
        if draw.chance(rng, 0.8)
        else [],
        "flow": FLOW,
        "result": result,
        "rate": "$0.019",
        "charge_type": "per_minute",
    }
    draw.optional(rng, leg, "charge", f"${draw.amount(rng, 0.001, 0.5)}")
    return leg


def _charge(
    rng: Random, start: datetime, visible_at: datetime, *, talked: bool
) -> Charge:
    kinds = ("plain", "large", "credit", "empty", "null", "absent", "dash")
    weights = (850, 8, 3, 50, 40, 40, 9) if talked else (300, 0, 0, 250, 200, 240, 10)
    kind = rng.choices(kinds, weights)[0]
    amount = _amount(rng, kind)
    texts = {"empty": (True, ""), "null": (True, None), "dash": (True, "-")}
    sign = "-" if kind == "credit" else ""
    text = (True, f"{sign}${abs(amount):,}") if amount is not None else None
    late = draw.chance(rng, 0.3)
    known_at = visible_at + (draw.later(rng, 60, 36 * 3600) if late else timedelta(0))
    return Charge(
        text=text or texts.get(kind, (False, None)),
        amount=amount,
        pending=rng.choice(((True, ""), (True, None), (False, None))),
        known_at=max(visible_at, min(known_at, start + LONGEST_LAG)),
    )


def _amount(rng: Random, kind: str) -> Decimal | None:
    if kind == "plain":
        return draw.amount(rng, 0.001, 4)
    if kind == "large":
        return Decimal(rng.randrange(100_000, 250_000)) / 100
    return -draw.amount(rng, 0.001, 0.1) if kind == "credit" else None


def _facts(
    rng: Random,
    direction: str,
    kind: str,
    result: str,
    legs: tuple[tuple[datetime, datetime, dict[str, object]], ...],
) -> dict[str, object]:
    consumer, business = draw.party(rng), draw.phone(rng)
    queues = [rng.choice(QUEUES)] if draw.chance(rng, 0.8) else []
    old = draw.fault(rng, 0.1)
    facts: dict[str, object] = {
        "direction": direction,
        "call_legs": [leg["call_leg"] for _, _, leg in legs],
        "distributions": [leg["distribution"] for _, _, leg in legs],
        "types": [kind],
        "consumer_number": consumer,
        "queues": [q if old else q | {"cc_queue_id": q["queue_id"]} for q in queues],
        "agents": [agent for _, _, leg in legs for agent in _agents_of(leg)],
        "flows": [FLOW] if draw.chance(rng, 0.7) else [],
        "recorded": draw.chance(rng, 0.6),
        "monitored": draw.chance(rng, 0.05),
        "inbox": result == "overflowed_to_inbox",
        "result": result,
        "rates": ["$0.019"] * len(legs),
        "charge_type": "per_minute",
    }
    inbound = direction == "inbound"
    facts["caller_number"] = consumer if inbound else business
    facts["callee_number"] = business if inbound else consumer
    kinds = ("toll_free_number", "virtual_service_number", "byoc_number")
    side = "callee_number_type" if inbound else "caller_number_type"
    facts[side] = draw.word(rng, kinds, (30, 50, 20), "mobile_service_number")
    draw.optional(rng, facts, "consumer_display_name", rng.choice(draw.people(rng)))
    draw.optional(rng, facts, "country_name", _country(rng, consumer))
    draw.optional(rng, facts, "caller_id", facts["caller_number"])
    draw.optional(rng, facts, "calling_party", "consumer" if inbound else "agent")
    return facts


def _country(rng: Random, consumer: str) -> str:
    """Return the name of a country, in the friendly world that of the number."""
    name = rng.choice(("United States", "China"))
    if not draw.is_friendly(rng):
        return name
    return "United Kingdom" if consumer.startswith("+44") else "United States"


@cache
def _agents(names: tuple[str, ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "user_id": f"u{n}AkZKfROKMSw1bjRDFQ0{n}",
            "display_name": name,
            "user_email": f"agent{n}@example.com",
            "team_ids": [],
            "team_names": [],
        }
        for n, name in enumerate(names)
    )


def _agents_of(leg: dict[str, object]) -> list[object]:
    agents = leg["agents"]
    return agents if isinstance(agents, list) else []
