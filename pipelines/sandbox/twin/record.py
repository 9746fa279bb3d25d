"""How one of TWIN's sessions looks at a moment, and what it amounts to."""

from datetime import UTC, datetime

from pipelines.sandbox.twin.history import COMPONENTS, PARTS, Call
from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import Truth, has_given_up

OUTCOMES = {
    **dict.fromkeys(("DIAL", "INPROGRESS"), "in_progress"),
    **dict.fromkeys(("NOANSWER", "UNAVAILABLE"), "no_answer"),
    **dict.fromkeys(("FAILED", "CONGESTION", "CHANUNAVAIL", "INVALID"), "failed"),
    **dict.fromkeys(("BLACKLIST", "FZ230", "EMPTY_AON"), "rejected"),
    "ANSWERED": "answered",
    "BUSY": "busy",
    "CANCEL": "abandoned",
}
"""What the words of `status` mean of an incoming call: who cancels is the caller."""


def record(call: Call, now: datetime) -> dict[str, object] | None:
    """Return the session with every field at `now`; None before it was created."""
    if now < call.created:
        return None
    done = now >= call.finished
    erased = call.erased is not None and now >= call.erased
    personal = dict.fromkeys(call.personal) if erased else call.personal
    late = ("nps", "emotion", "currentStatusName", "hungUpBy")
    facts = call.facts if done else call.facts | dict.fromkeys(late)
    path = f"/records/{call.call_id}.mp3" if now >= call.recorded else None
    return {
        "callId": call.call_id,
        **facts,
        **personal,
        "createdAt": stamp(call.created),
        "startedAt": stamp(_by(call.started, now)),
        "finishedAt": stamp(_by(call.finished, now)),
        "updatedAt": stamp(call.updated(now)),
        "billedAt": stamp(_by(call.billed, now)),
        "status": status(call, now),
        "duration": call.duration if done else None,
        **(call.durations if done else dict.fromkeys(call.durations)),
        **_shown_prices(call, now),
        "recordPath": None if erased else path,
        "depersonalized": erased,
    }


def _by(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment <= now else None


def _shown_prices(call: Call, now: datetime) -> dict[str, object]:
    if _by(call.billed, now) is None:
        return dict.fromkeys(call.prices, call.unpriced)
    if not call.numeric_text:
        return dict(call.prices)
    return {n: None if p is None else plain(p) for n, p in call.prices.items()}


def status(call: Call, now: datetime) -> str:
    """TWIN's telephony status at a moment."""
    if now >= call.finished:
        return call.status
    return "INPROGRESS" if _by(call.started, now) else "DIAL"


def stamp(moment: datetime | None) -> str | None:
    """TWIN's date format; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def truth(call: Call, alias: str, now: datetime) -> Truth | None:
    """Return what the session amounts to at `now`; None before it was created."""
    if now < call.created:
        return None
    done = now >= call.finished
    cost = call.prices["totalCost"] if _by(call.billed, now) else None
    outcome = OUTCOMES.get(status(call, now), "unknown")
    is_known = outcome not in {"unknown", "in_progress"}
    return Truth(
        vendor="twin",
        account=alias.lower(),
        vendor_call_id=call.call_id,
        event_at=call.created,
        started_at=_by(call.started, now) or call.created,
        ended_at=call.finished if done else None,
        direction="inbound",
        total_seconds=str(call.duration) if done else None,
        cost=None if cost is None else plain(cost),
        currency=None if cost is None else "RUB",
        lines=[] if cost is None else _lines(call),
        legs=_legs(call, is_billed=cost is not None) if done else (),
        vendor_outcome=status(call, now),
        outcome=outcome,
        is_answered=outcome == "answered" if is_known else None,
        is_abandoned=has_given_up(outcome, is_inbound=True),
        payers=[{"kind": "company", "id": str(call.facts["companyId"]), "name": None}],
    )


def _legs(call: Call, *, is_billed: bool) -> list[dict[str, str | None]]:
    """Return the stages that took time, each with what it cost."""
    prices = call.prices if is_billed else {}
    return [
        {"seconds": str(seconds), "cost": None if price is None else plain(price)}
        for name, seconds in call.durations.items()
        if seconds
        for price in [prices.get(name.replace("Duration", "TotalCost"))]
    ]


def _lines(call: Call) -> list[dict[str, str]]:
    leaves = {**COMPONENTS}
    parts = {f"aiCall{part}TotalCost": name for part, name in PARTS.items()}
    known = any(call.prices[name] is not None for name in parts)
    leaves |= parts if known else {"aiCallTotalCost": "ai_platform"}
    return [
        {"component": component, "amount": plain(price)}
        for name, component in leaves.items()
        if (price := call.prices[name]) is not None
    ]
