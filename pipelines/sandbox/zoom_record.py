"""How one of Zoom's engagements looks at a moment, and what it amounts to."""

from datetime import datetime, tzinfo

from pipelines.sandbox import world as w
from pipelines.sandbox.wire import plain
from pipelines.sandbox.zoom_history import Engagement


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


def stamp(moment: datetime, zone: tzinfo) -> str:
    """Zoom's date format: the offset is that of the request's `from`."""
    return moment.astimezone(zone).isoformat(timespec="seconds")


def truth(call: Engagement, alias: str, now: datetime) -> w.Truth | None:
    """Return what the engagement amounts to at `now`; None while it is not listed."""
    if now < call.visible_at:
        return None
    amount = call.charge.amount if now >= call.charge.known_at else None
    cost = None if amount is None else plain(amount)
    seconds = int((call.end - call.start).total_seconds())
    return w.Truth(
        vendor="zoom",
        account=alias.lower(),
        vendor_call_id=call.engagement_id,
        event_at=call.start,
        started_at=call.start,
        ended_at=call.end,
        direction=call.direction,
        total_seconds=str(seconds) if call.timed else None,
        cost=cost,
        currency=None if cost is None else "USD",
        lines=[] if cost is None else [{"component": "telephony", "amount": cost}],
        leg_count=len(call.legs),
        vendor_outcome=call.result,
    )
