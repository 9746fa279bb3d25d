"""Voximplant's priced lines: the legs, records and resources of a session."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from pipelines.sandbox import draw
from pipelines.sandbox.world import whole_second

LONGEST_LAG = timedelta(hours=59)

PARTY_KINDS = ("pstn", "mobile", "user", "sip")
ENDS = (
    (200, "Normal call clearing"),
    (480, "User offline"),
    (486, "Busy here"),
    (408, "Request timeout"),
    (603, "Decline"),
    (487, "Request terminated"),
)
RESOURCES = {
    "TTS_TEXT_GOOGLE": ("ai_tts", "character"),
    "TTS_YANDEX": ("ai_tts", "character"),
    "ASR": ("ai_stt", "second"),
    "YANDEXASR": ("ai_stt", "second"),
    "VOICEMAILDETECTION": ("other", "request"),
    "AUDIOHDCONFERENCE": ("telephony", "second"),
}


@dataclass(frozen=True)
class Line:
    """A leg, record or resource: shown from `begun`, closed at `ended`, priced later.

    Lines with one nonzero `transaction` are one charge shown twice.
    """

    begun: datetime
    ended: datetime
    priced: datetime
    cost: Decimal | None
    component: str
    transaction: int
    seconds: int
    costs_as_text: bool
    transcribed: datetime | None
    facts: dict[str, object]

    def price(self, now: datetime) -> Decimal | None:
        """Return the line's cost at a moment; None until it is priced."""
        return self.cost if now >= self.priced else None


def _priced(rng: Random, ended: datetime, start: datetime) -> datetime:
    slow = draw.chance(rng, 0.1)
    wait = draw.later(rng, 3600, 172_800) if slow else draw.later(rng, 5, 180)
    return min(ended + wait, start + LONGEST_LAG)


def leg(
    rng: Random, start: datetime, ended: datetime, key: tuple[int, int], rate: int
) -> Line:
    """Return one leg; the first one is mostly the caller's."""
    number, place = key
    incoming = place == 0 and draw.chance(rng, 0.75)
    begun = start + (ended - start) * (place / 6)
    code, details = ENDS[0] if draw.chance(rng, 0.75) else rng.choice(ENDS[1:])
    answered = code == ENDS[0][0]
    stop = ended if answered else begun
    kind = "user" if place and draw.chance(rng, 0.6) else "pstn"
    kind = draw.word(rng, (kind, *PARTY_KINDS), (90, 4, 3, 1, 2), "whatsapp")
    free = kind == "user" or not answered
    unpriced = draw.fault(rng, 0.02)
    seconds = int((stop - whole_second(begun)).total_seconds()) if answered else 0
    facts: dict[str, object] = {
        "call_id": number * 10 + place,
        "local_number": draw.phone(rng).lstrip("+"),
        "remote_number": f"agent{place}"
        if kind == "user"
        else draw.party(rng).lstrip("+"),
        "remote_number_type": kind,
        "incoming": incoming,
        "successful": answered,
        "record_url": None,
        "media_server_address": "198.51.100.7",
        "end_reason": {"code": code, "details": details},
    }
    draw.optional(rng, facts, "custom_data", "leg")
    draw.optional(rng, facts, "diversion_number", None)
    return Line(
        begun=whole_second(begun),
        ended=stop,
        priced=stop if free else _priced(rng, ended, start),
        cost=None if unpriced else _cost(rng, 0, 0.4, rate, seconds, free=free),
        component="telephony",
        transaction=0 if free else number * 10 + place,
        seconds=seconds,
        costs_as_text=draw.fault(rng, 1 / 300),
        transcribed=None,
        facts=facts,
    )


def _cost(
    rng: Random, low: float, high: float, rate: int, seconds: int, *, free: bool = False
) -> Decimal:
    """Return a price between two; in the friendly world that of so many seconds."""
    if free:
        return Decimal(0)
    amount = draw.amount(rng, low, high)
    if draw.is_friendly(rng):
        amount = draw.price(seconds, str(Decimal(repr(high)) / 40))
    return amount * rate


def record(
    rng: Random, start: datetime, ended: datetime, key: tuple[int, int], rate: int
) -> Line:
    """Return the session's recording; some are transcribed much later."""
    number, place = key
    stop = max(start, ended)
    seconds = int((stop - start).total_seconds())
    late = stop + draw.later(rng, 60, 144_000)
    return Line(
        begun=start,
        ended=stop,
        priced=_priced(rng, stop, start),
        cost=None if draw.fault(rng, 0.03) else _cost(rng, 0.0005, 0.02, rate, seconds),
        component="recording",
        transaction=number * 10 + 7,
        seconds=seconds,
        costs_as_text=False,
        transcribed=late if draw.chance(rng, 0.4) else None,
        facts={
            "record_id": number * 10 + place,
            "record_name": "rec",
            "record_url": f"https://storage.example/rec/{number}-{place}.mp3",
            "file_size": rng.randrange(1000, 900_000),
        },
    )


def resource(
    rng: Random, start: datetime, ended: datetime, key: tuple[int, int], rate: int
) -> Line:
    """Return one use of a resource during the session."""
    number, place = key
    known = tuple(RESOURCES)
    kind = draw.word(rng, known, (30, 15, 20, 15, 10, 10), "LLM_AGENT")
    component, unit = RESOURCES.get(kind, ("other", "token"))
    used = whole_second(start + (ended - start) * rng.random())
    facts: dict[str, object] = {
        "resource_usage_id": number * 10 + place,
        "resource_type": kind,
        "resource_quantity": rng.choice((None, rng.randrange(1, 400))),
        "unit": rng.choice((None, unit)),
        "ref_call_id": rng.choice((None, number * 10)),
    }
    draw.optional(rng, facts, "description", kind.title())
    return Line(
        begun=used,
        ended=used,
        priced=_priced(rng, used, start),
        cost=None if draw.fault(rng, 0.03) else _cost(rng, 0.0001, 0.05, rate, 60),
        component=component,
        transaction=number * 10 + 5 + place,
        seconds=0,
        costs_as_text=False,
        transcribed=None,
        facts=facts,
    )


def mirror(line: Line, of: Line) -> Line:
    """Return the line as a second sight of another line's charge."""
    values = vars(line) | {
        "cost": of.cost,
        "priced": of.priced,
        "transaction": of.transaction,
    }
    return Line(**values)


def mirrored(rng: Random, record: Line, number: int) -> list[Line]:
    """Return the resource that shows a record's charge again, if there is one."""
    if not draw.chance(rng, 0.3):
        return []
    facts = {
        "resource_usage_id": number * 10 + 8,
        "resource_type": "VIDEORECORD",
        "description": None,
        "resource_quantity": record.seconds,
        "unit": "second",
        "ref_call_id": None,
    }
    values = vars(record) | {"begun": record.ended, "transcribed": None}
    return [Line(**(values | {"facts": facts}))]


def transcription(rng: Random, record: Line, number: int, rate: int) -> list[Line]:
    """Return the resource that a transcribed record costs, once it is done."""
    if record.transcribed is None:
        return []
    facts: dict[str, object] = {
        "resource_usage_id": number * 10 + 9,
        "resource_type": "TRANSCRIPTION",
        "resource_quantity": record.seconds,
        "unit": "second",
        "ref_call_id": None,
    }
    values = vars(record) | {
        "begun": record.transcribed,
        "ended": record.transcribed,
        "priced": record.transcribed,
        "cost": _cost(rng, 0.001, 0.08, rate, record.seconds),
        "component": "transcription",
        "transaction": number * 10 + 9,
        "transcribed": None,
        "facts": facts,
    }
    return [Line(**values)]
