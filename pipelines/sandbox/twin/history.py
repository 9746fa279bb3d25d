"""TWIN's incoming call sessions, and how one looks at a moment."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from pipelines.sandbox import draw
from pipelines.sandbox.world import Correction, World, last_change, whole_second

OFFICE = ZoneInfo("Europe/Moscow")
LONGEST_BILLING = 30 * 3600
ZERO = Decimal(0)

STATUSES = (
    "ANSWERED",
    "NOANSWER",
    "BUSY",
    "CANCEL",
    "FAILED",
    "CONGESTION",
    "CHANUNAVAIL",
    "BLACKLIST",
    "FZ230",
    "INVALID",
    "UNAVAILABLE",
    "EMPTY_AON",
)
STATUS_WEIGHTS = (820, 60, 20, 40, 10, 5, 5, 10, 10, 5, 10, 5)
TOPICS = ("Запись на приём", "Transferred to operator", "Отказ", "Callback", "")
STAGES = ("main", "auto", "robot", "transfer", "ai")
A_MINUTE = {"main": "1.90", "auto": "1.50", "robot": "2.40", "transfer": "3.10"}
"""Roubles, in the friendly world."""
PARTS = {"Llm": "ai_llm", "Tts": "ai_tts", "Stt": "ai_stt"}
COMPONENTS = {
    "mainCallTotalCost": "telephony",
    "autoCallTotalCost": "telephony",
    "robotCallTotalCost": "bot",
    "transferCallTotalCost": "transfer",
}


@dataclass(frozen=True)
class Call:
    """One session: created, started, finished, recorded, billed, at those moments.

    `prices` holds what billing will say; `unpriced` what stands there before.
    """

    call_id: str
    created: datetime
    started: datetime | None
    finished: datetime
    recorded: datetime
    billed: datetime | None
    billing_shows: bool
    erased: datetime | None
    status: str
    duration: int
    durations: dict[str, object]
    prices: dict[str, Decimal | None]
    unpriced: Decimal | None
    numeric_text: bool
    facts: dict[str, object]
    personal: dict[str, object]
    correction: Correction = field(default_factory=Correction)

    def updated(self, now: datetime) -> datetime | None:
        """`updatedAt` at a moment: billing moves it in about half of the cases."""
        billed = self.billed if self.billing_shows else None
        changes = (self.finished, self.recorded, billed, self.erased)
        last = last_change(now, changes, self.correction)
        return last if self.correction.is_dated else None


def history(world: World, alias: str, day: date) -> tuple[Call, ...]:
    """Every session created on the day."""
    rng = draw.generator(world, "twin", alias, day)
    company = world.credentials[alias].twin_company_id
    starts = map(whole_second, draw.arrivals(world, rng, day, OFFICE))
    return tuple(_call(rng, start, company) for start in starts)


def corrected(call: Call, correction: Correction) -> Call:
    """Return the session with every time of the conversation moved."""
    by, started = correction.by, call.started
    return replace(
        call,
        created=call.created + by,
        started=None if started is None else started + by,
        finished=call.finished + by,
        erased=correction.erased_at or call.erased,
        correction=correction,
    )


def _call(rng: Random, created: datetime, company: int) -> Call:
    status = draw.word(rng, STATUSES, STATUS_WEIGHTS, "QUARANTINED")
    talked = status == "ANSWERED"
    begun = talked or draw.chance(rng, 0.6)
    started = created + draw.later(rng, 1, 8)
    seconds = int(draw.lasting(rng, 110)) if talked else 0
    finished = started + timedelta(seconds=seconds or rng.randint(1, 40))
    durations = _durations(rng, seconds)
    slow = draw.chance(rng, 0.2)
    wait = draw.later(rng, 600, LONGEST_BILLING) if slow else draw.later(rng, 5, 120)
    return Call(
        call_id=draw.uuid(rng),
        created=created,
        started=started if begun else None,
        finished=finished,
        recorded=finished + draw.later(rng, 10, 60),
        billed=finished + wait if talked or draw.chance(rng, 0.3) else None,
        billing_shows=draw.chance(rng, 0.5),
        erased=(
            finished + draw.later(rng, 60, 72_000) if draw.fault(rng, 0.005) else None
        ),
        status=status,
        duration=seconds,
        durations=durations,
        prices=_prices(rng, durations, talked=talked),
        unpriced=rng.choice((None, ZERO)),
        numeric_text=draw.fault(rng, 0.005),
        facts=_facts(rng, company),
        personal=_personal(rng),
    )


def _durations(rng: Random, seconds: int) -> dict[str, object]:
    robot = rng.randint(0, seconds)
    moved = draw.chance(rng, 0.3)
    thinking = draw.chance(rng, 0.7)
    return {
        "mainCallDuration": seconds,
        "autoCallDuration": rng.choice((0, None)),
        "robotCallDuration": robot,
        "transferCallDuration": seconds - robot if moved else rng.choice((0, None)),
        "aiCallDuration": rng.randint(0, robot) if thinking else None,
    }


def _prices(
    rng: Random, durations: dict[str, object], *, talked: bool
) -> dict[str, Decimal | None]:
    prices: dict[str, Decimal | None] = {}
    for stage in STAGES[:-1]:
        used = talked and bool(durations[f"{stage}CallDuration"])
        gross = draw.amount(rng, 0.5, 15) if used else ZERO
        if used and draw.is_friendly(rng):
            seconds = int(str(durations[f"{stage}CallDuration"]))
            gross = draw.price(seconds, A_MINUTE[stage])
        tenth = (gross / 10).quantize(Decimal("0.000001"))
        cut = tenth if draw.chance(rng, 0.2) else ZERO
        prices[f"{stage}CallCost"] = gross
        prices[f"{stage}CallDiscount"] = cut
        prices[f"{stage}CallTotalCost"] = gross - cut
    if durations["autoCallDuration"] is None:
        kinds = ("autoCallCost", "autoCallDiscount", "autoCallTotalCost")
        prices |= dict.fromkeys(kinds)
    prices |= _thinking(rng, used=talked and bool(durations["aiCallDuration"]))
    parts = (prices[name] for name in (*COMPONENTS, "aiCallTotalCost"))
    surcharge = Decimal("0.35") if talked and draw.fault(rng, 0.01) else ZERO
    prices["totalCost"] = sum((part or ZERO for part in parts), surcharge)
    return prices


def _thinking(rng: Random, *, used: bool) -> dict[str, Decimal | None]:
    names = [f"aiCall{part}TotalCost" for part in PARTS]
    if not used:
        return dict.fromkeys(("aiCallCost", "aiCallTotalCost", *names))
    if draw.chance(rng, 0.2):
        whole = draw.amount(rng, 0.1, 4)
        return {"aiCallCost": whole, "aiCallTotalCost": whole} | dict.fromkeys(names)
    parts = {name: draw.amount(rng, 0.05, 1.5) for name in names}
    whole = sum(parts.values(), ZERO)
    return {"aiCallCost": whole, "aiCallTotalCost": whole, **parts}


def _facts(rng: Random, company: int) -> dict[str, object]:
    return {
        "companyId": company,
        "number": f"44207946000{rng.randrange(10)}",
        "timezone": rng.choice((10_800, 25_200, None)),
        "currentStatusName": rng.choice((*TOPICS, None)),
        "hungUpBy": draw.word(rng, ("client", "bot", "operator"), (60, 35, 5), "proxy"),
        "nps": rng.choice(("9", "10", "", None, None)),
        "emotion": rng.choice(("neutral", "positive", "negative", None)),
        "isAssistantRequest": draw.chance(rng, 0.05),
        "markers": rng.choice(([], ["vip"])),
        "externalId": rng.choice((None, "", "crm-17")),
        "resultsString": '{"status":"done"}',
        "allResults": rng.choice(([], {}, '{"status":"done"}')),
    }


def _personal(rng: Random) -> dict[str, object]:
    odd = draw.fault(rng, 0.04)
    number = rng.choice(("anonymous", "", "sip:7@example.com")) if odd else None
    return {
        "callingNumber": f"442079460{rng.randrange(1000):03d}"
        if number is None
        else number,
        "regionName": rng.choice(("Москва", "Новосибирск", "", None)),
        "gender": rng.choice(("female", "male", None)),
        "messagesAsString": f"Bot: ...\nClient: {rng.choice(draw.people(rng))}",
        "additional": rng.choice((None, {}, '{"source":"ad"}')),
    }
