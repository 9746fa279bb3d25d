"""Whippy's calls, and how one looks at a moment."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from pipelines.sandbox import draw
from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import (
    Correction,
    Truth,
    World,
    has_given_up,
    last_change,
    thousandths,
)

OFFICE = ZoneInfo("America/Chicago")
LONGEST_LAG = timedelta(hours=59)

STATUSES = ("call_completed", "call_no_answer", "call_failed", "call_busy")
STATUS_WEIGHTS = (80, 12, 4, 4)
RATINGS = ("Complete", "Incomplete", "Partial")
LANGUAGES = ("en", "es", "de", "ru")
AGENTS = tuple(f"5b1c0000-0000-4000-8000-00000000000{n}" for n in range(4))
CHANNELS = tuple(f"1e400000-0000-4000-8000-00000000000{n}" for n in range(3))


@dataclass(frozen=True)
class Call:
    """One call: its duration is known from `ended_at`, its analysis later."""

    call_id: str
    created: datetime
    ended_at: datetime
    analyzed_at: datetime
    seconds: timedelta
    direction: str
    final_status: str
    zoned: bool
    facts: dict[str, object]
    analysis: dict[str, object]
    correction: Correction = field(default_factory=Correction)

    def status(self, now: datetime) -> str:
        """Whippy's delivery status at a moment."""
        return "call_in_progress" if now < self.ended_at else self.final_status

    def duration(self, now: datetime) -> int | None:
        """Milliseconds; None until known."""
        if now < self.ended_at:
            return None
        return self.seconds // timedelta(milliseconds=1)

    def updated(self, now: datetime) -> datetime | None:
        """When the record last changed before a moment, as far as it says so."""
        changes = (self.created, self.ended_at, self.analyzed_at)
        last = last_change(now, changes, self.correction)
        return last if self.correction.is_dated else None


def history(world: World, alias: str, day: date) -> tuple[Call, ...]:
    """Every call created on the day."""
    rng = draw.generator(world, "whippy", alias, day)
    return tuple(_call(rng, at) for at in draw.arrivals(world, rng, day, OFFICE))


def corrected(call: Call, correction: Correction) -> Call:
    """Return the call with its creation moved."""
    return replace(call, created=call.created + correction.by, correction=correction)


def _call(rng: Random, created: datetime) -> Call:
    status = draw.word(rng, STATUSES, STATUS_WEIGHTS, "call_parked")
    talked = status == "call_completed"
    length = draw.lasting(rng, 90, 5400) if talked else rng.uniform(0, 40)
    seconds = timedelta(milliseconds=round(length * 1000))
    slow = draw.chance(rng, 0.2)
    ended = created + seconds + timedelta(seconds=rng.uniform(0, 3600 if slow else 5))
    wait = rng.uniform(3600, 180_000) if draw.chance(rng, 0.1) else rng.uniform(20, 240)
    analyzed = min(ended + timedelta(seconds=wait), created + LONGEST_LAG)
    direction = rng.choices(("INBOUND", "OUTBOUND"), (55, 45))[0]
    return Call(
        call_id=draw.uuid(rng),
        created=created,
        ended_at=ended,
        analyzed_at=analyzed,
        seconds=seconds,
        direction=direction,
        final_status=status,
        zoned=not draw.fault(rng, 0.04),
        facts=_facts(rng, direction),
        analysis=_analysis(rng, talked=talked),
    )


def _facts(rng: Random, direction: str) -> dict[str, object]:
    artificial = draw.chance(rng, 0.7)
    outside, inside = draw.party(rng), draw.phone(rng)
    facts: dict[str, object] = {
        "agent_id": rng.choice(AGENTS) if artificial else None,
        "agent_version_id": draw.uuid(rng) if artificial else None,
        "user_id": None if artificial else rng.randrange(1, 40),
        "mode": draw.word(rng, ("agent", "user"), (70, 30), "copilot"),
        "contact_id": draw.uuid(rng) if draw.chance(rng, 0.8) else None,
        "conversation_id": draw.uuid(rng),
        "channel_id": rng.choice(CHANNELS),
        "from": outside if direction == "INBOUND" else inside,
        "to": inside if direction == "INBOUND" else outside,
        "direction": direction,
    }
    if draw.fault(rng, 0.1):
        del facts["user_id"]
    return facts


def _analysis(rng: Random, *, talked: bool) -> dict[str, object]:
    if not talked and draw.chance(rng, 0.5):
        return {"language": None, "call_completion_rating": None, "voicemail": None}
    return {
        "language": rng.choice(LANGUAGES),
        "call_completion_rating": draw.word(rng, RATINGS, (70, 20, 10), "Escalated"),
        "voicemail": draw.chance(rng, 0.12),
    }


def record(call: Call, now: datetime) -> dict[str, object] | None:
    """Return the call as found at `now`; None before it was created."""
    if now < call.created:
        return None
    blank = dict.fromkeys(call.analysis)
    return {
        "id": call.call_id,
        **call.facts,
        "delivery_status": call.status(now),
        **(call.analysis if now >= call.analyzed_at else blank),
        "duration": call.duration(now),
        "created_at": _stamp(call.created, zoned=call.zoned),
        "updated_at": _stamp(call.updated(now), zoned=call.zoned),
    }


def _stamp(moment: datetime | None, *, zoned: bool) -> str | None:
    if moment is None:
        return None
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{text}Z" if zoned else text


OUTCOMES = {
    "call_completed": "answered",
    "call_no_answer": "no_answer",
    "call_failed": "failed",
    "call_busy": "busy",
}


def _outcome(call: Call, now: datetime) -> str:
    """Return what became of a call: a voicemail may take it, which comes late."""
    voicemail = call.analysis["voicemail"] if now >= call.analyzed_at else None
    outcome = OUTCOMES.get(call.status(now), "unknown")
    if voicemail:
        return "voicemail"
    return "unknown" if outcome == "answered" and voicemail is None else outcome


def truth(call: Call, alias: str, now: datetime) -> Truth | None:
    """Return what the call amounts to at `now`; None before it was created."""
    if now < call.created:
        return None
    millis = call.duration(now)
    ended = None if millis is None else call.created + call.seconds
    outcome = _outcome(call, now)
    is_inbound = call.direction == "INBOUND"
    return Truth(
        vendor="whippy",
        account=alias.lower(),
        vendor_call_id=call.call_id,
        event_at=call.created,
        started_at=call.created,
        ended_at=ended,
        direction=call.direction.lower(),
        total_seconds=None if millis is None else plain(thousandths(millis)),
        cost=None,
        currency=None,
        lines=[],
        legs=(),
        vendor_outcome=call.status(now),
        outcome=outcome,
        is_answered=None if outcome == "unknown" else outcome == "answered",
        is_abandoned=has_given_up(outcome, is_inbound=is_inbound),
        payers=[{"kind": "channel", "id": str(call.facts["channel_id"]), "name": None}],
    )
