"""How one of Zoom's engagements looks at a moment, and what it amounts to."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from random import Random

from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import Truth, has_given_up
from pipelines.sandbox.zoom.history import TALKED, Engagement

OUTCOMES = {
    **dict.fromkeys(("completed", "long_calls", "short_calls"), "answered"),
    **dict.fromkeys(("short_abandoned", "long_abandoned"), "abandoned"),
    **dict.fromkeys(("hold_abandoned", "abandon_quit"), "abandoned"),
    **dict.fromkeys(("overflowed", "overflowed_to_disconnect"), "overflowed"),
    "callback_abandoned_by_consumer": "abandoned",
    "overflowed_to_inbox": "voicemail",
    "auto_closed": "canceled",
    "declined": "rejected",
    "contained": "contained",
    "missed": "missed",
}
"""What the words of `result` mean; hang_up_calls does not tell who did."""
CALLBACK = "_callback_call"
"""How the words of `types` for a call that was asked for end."""

PARTS = {
    "ivr_seconds": "flow_duration",
    "queue_seconds": "waiting_duration",
    "talk_seconds": "talk_duration",
    "wrap_seconds": "wrap_up_duration",
}
"""The unified model's names of them."""


def record(
    call: Engagement, now: datetime, zone: tzinfo, *, detail: bool
) -> dict[str, object] | None:
    """Return the engagement listed at `now`, times in `zone`; None while it lasts."""
    if now < call.visible_at:
        return None
    shown: dict[str, object] = {
        "engagement_id": call.engagement_id,
        "start_time": stamp(call.start, zone),
        "end_time": stamp(call.end, zone),
        **call.facts,
    }
    if call.timed:
        shown["total_duration"] = int((call.end - call.start).total_seconds())
    present, text = (
        call.charge.text if now >= call.charge.known_at else call.charge.pending
    )
    if present:
        shown["charge"] = text
    if detail:
        shown["voice_call_details"] = [
            {
                "engagement_id": call.engagement_id,
                "start_time": stamp(start, zone),
                "end_time": stamp(end, zone),
                "total_duration": int((end - start).total_seconds()),
                **leg,
            }
            for start, end, leg in call.legs
        ]
    return shown


def engagement(
    call: Engagement, now: datetime, zone: tzinfo
) -> dict[str, object] | None:
    """Return the engagement as the other list has it: how long its parts took."""
    if now < call.visible_at:
        return None
    return {
        "engagement_id": call.engagement_id,
        "direction": call.direction,
        "start_time": stamp(call.start, zone),
        "end_time": stamp(call.end, zone),
        "duration": int((call.end - call.start).total_seconds()),
        **parts(call),
        "transferCount": len(call.legs) - 1,
        "queue_wait_type": "live_waiting",
        "voice_mail": int(bool(call.facts["inbox"])),
        "consumers": [{"consumer_number": call.facts["consumer_number"]}],
        **{name: call.facts[name] for name in ("flows", "queues", "agents")},
        "channels": [{"channel": "voice", "channel_source": "call"}],
    }


def parts(call: Engagement) -> dict[str, object]:
    """Return the seconds of the parts, some of them null and some left out."""
    rng = Random(f"parts/{call.engagement_id}")
    left = int((call.end - call.start).total_seconds())
    flow = rng.randint(0, min(left, 90))
    waiting = rng.randint(0, min(left - flow, 45 if call.is_whole else 300))
    talk = left - flow - waiting if call.result in TALKED else 0
    wrap_up = rng.randint(0, 180) if talk else 0
    if _types(call)[0].endswith(CALLBACK):
        # What nobody talked, somebody waited for the callback.
        talk, waiting = min(talk, waiting), left - flow - min(talk, waiting)
    hold = Random(f"hold/{call.engagement_id}").randint(0, talk // 4)
    found: dict[str, object] = {
        "flow_duration": flow,
        "waiting_duration": waiting,
        "talk_duration": talk - hold,
        "handling_duration": talk + wrap_up,
        "wrap_up_duration": wrap_up,
    }
    weights = (100, 0, 0) if call.is_whole else (92, 4, 4)
    for name in tuple(found):
        kind = rng.choices(("value", "null", "absent"), weights)[0]
        if kind == "null":
            found[name] = None
        if kind == "absent":
            del found[name]
    return found


def has_chat(call: Engagement) -> bool:
    """Whether a chat began when the call did: the other list has every channel."""
    return call.engagement_id[0] in "ABCDEF"


def chat(call: Engagement, zone: tzinfo) -> dict[str, object]:
    """Return that chat, which is not a call."""
    return {
        "engagement_id": f"chat-{call.engagement_id[5:]}",
        "direction": "inbound",
        "start_time": stamp(call.start, zone),
        "end_time": stamp(call.end, zone),
        "duration": 60,
        "flow_duration": 10,
        "channels": [{"channel": "web_chat", "channel_source": "web"}],
    }


def stamp(moment: datetime, zone: tzinfo) -> str:
    """Zoom's date format: the offset is that of the request's `from`."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def truth(
    call: Engagement, alias: str, now: datetime, *, with_durations: bool
) -> Truth | None:
    """Return what the engagement amounts to at `now`; None while it is not listed."""
    if now < call.visible_at:
        return None
    amount = call.charge.amount if now >= call.charge.known_at else None
    amounts = _leg_charges(call) if amount is None else [amount]
    cost = plain(sum(amounts, Decimal(0))) if amounts else None
    seconds = int((call.end - call.start).total_seconds())
    sent = parts(call) if with_durations else {}
    outcome = OUTCOMES.get(call.result, "unknown")
    return Truth(
        vendor="zoom",
        account=alias.lower(),
        vendor_call_id=call.engagement_id,
        event_at=call.start,
        started_at=call.start,
        ended_at=call.end,
        direction=_direction(call),
        total_seconds=str(seconds) if call.timed or with_durations else None,
        cost=cost,
        currency=None if cost is None else "USD",
        lines=[{"component": "telephony", "amount": plain(one)} for one in amounts],
        legs=[
            {
                "seconds": str(int((end - begun).total_seconds())),
                "cost": str(leg.get("charge") or "").removeprefix("$") or None,
            }
            for begun, end, leg in call.legs
        ],
        vendor_outcome=call.result,
        durations=_durations(call, sent),
        answered_at=_answered_at(call, sent),
        payers=_payers(call, alias.lower()),
        call_type=_call_type(call),
        outcome=outcome,
        is_answered=None if outcome == "unknown" else call.result in TALKED,
        is_abandoned=has_given_up(outcome, is_inbound=_direction(call) == "inbound"),
    )


def _leg_charges(call: Engagement) -> list[Decimal]:
    """Return what the legs say that they cost, for an engagement that does not."""
    texts = (leg.get("charge") for _, _, leg in call.legs)
    return [Decimal(str(text).removeprefix("$")) for text in texts if text]


def _direction(call: Engagement) -> str:
    """Return internal where every type is of an internal call, else the vendor's."""
    is_internal = all(name.startswith("internal_") for name in _types(call))
    return "internal" if is_internal else call.direction


def _types(call: Engagement) -> list[str]:
    types = call.facts["types"]
    return types if isinstance(types, list) else []


def _call_type(call: Engagement) -> str | None:
    """Return the kind of an engagement that has another one than its direction."""
    types = set(_types(call))
    if any(name.endswith(CALLBACK) for name in types):
        return "callback"
    if _direction(call) == "internal" or "external_call" in types:
        return None
    return "conference" if "external_conference_call" in types else "unknown"


def _durations(call: Engagement, sent: Mapping[str, object]) -> dict[str, str]:
    """Return the seconds of the parts; those on hold are the rest of handling.

    The wait for a callback is not in a queue, on the line.
    """
    found = {
        ours: str(sent[theirs])
        for ours, theirs in PARTS.items()
        if sent.get(theirs) is not None
    }
    handling, talk, wrap_up = map(
        sent.get, ("handling_duration", "talk_duration", "wrap_up_duration")
    )
    if isinstance(handling, int) and isinstance(talk, int) and isinstance(wrap_up, int):
        found["hold_seconds"] = str(handling - talk - wrap_up)
    if _call_type(call) == "callback" and "queue_seconds" in found:
        found["callback_seconds"] = found.pop("queue_seconds")
    return found


def _answered_at(call: Engagement, sent: Mapping[str, object]) -> datetime | None:
    """Return when an inbound call that one agent took was through menu and queue."""
    flow, waiting = sent.get("flow_duration"), sent.get("waiting_duration")
    taken = call.result in TALKED and call.direction == "inbound"
    if not taken or len(call.legs) > 1:
        return None
    if not isinstance(flow, int) or not isinstance(waiting, int):
        return None
    return call.start + timedelta(seconds=flow + waiting)


def _payers(call: Engagement, alias: str) -> list[dict[str, str | None]]:
    """Return the first queue, then the account."""
    queues = call.facts["queues"]
    first = queues[:1] if isinstance(queues, list) else []
    return [
        *(
            {"kind": "queue", "id": queue["queue_id"], "name": queue["queue_name"]}
            for queue in first
        ),
        {"kind": "account", "id": alias, "name": None},
    ]
