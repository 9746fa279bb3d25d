"""How one of Voximplant's sessions looks at a moment, and what it amounts to."""

from datetime import datetime, tzinfo
from decimal import Decimal

from pipelines.sandbox.voximplant.conversation import conversation, direction
from pipelines.sandbox.voximplant.history import Session, currency
from pipelines.sandbox.voximplant.lines import Line
from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import Truth, has_given_up


def record(
    session: Session, now: datetime, zone: tzinfo, parts: tuple[bool, bool, bool]
) -> dict[str, object] | None:
    """Return the session at `now` in `zone`; `parts`: legs, records, resources."""
    if now < session.start:
        return None
    with_legs, with_records, with_resources = parts
    ended = now >= session.ended
    shown: dict[str, object] = {
        "call_session_history_id": session.session_id,
        "start_date": stamp(session.start, zone),
        "duration": _seconds(session) if ended else None,
        "finish_reason": session.finish if ended else None,
        **session.facts,
    }
    if with_legs:
        legs = (line for line in session.legs if now >= line.begun)
        shown["calls"] = [_timed(line, now, zone, ended=ended) for line in legs]
    if with_records:
        done = (line for line in session.records if now >= line.ended)
        shown["records"] = [_recorded(line, now, zone) for line in done]
    if with_resources:
        used = (line for line in session.resources if now >= line.begun)
        shown["other_resource_usage"] = [
            _money(line, now) | {"used_at": stamp(line.begun, zone)} for line in used
        ]
    return shown


def _seconds(session: Session) -> int:
    return int((session.ended - session.start).total_seconds())


def _money(line: Line, now: datetime) -> dict[str, object]:
    cost = line.price(now)
    text = cost is not None and line.costs_as_text
    return {
        **line.facts,
        "transaction_id": line.transaction,
        "cost": plain(cost) if text and cost is not None else cost,
    }


def _timed(
    line: Line, now: datetime, zone: tzinfo, *, ended: bool = True
) -> dict[str, object]:
    return _money(line, now) | {
        "start_time": stamp(line.begun, zone),
        "duration": line.seconds if ended or now >= line.ended else None,
    }


def _recorded(line: Line, now: datetime, zone: tzinfo) -> dict[str, object]:
    if line.transcribed is None:
        state, url = "Not required", None
    elif now < line.transcribed:
        state, url = "In progress", None
    else:
        state, url = "Complete", f"https://storage.example/txt/{line.transaction}"
    return _timed(line, now, zone) | {
        "transcription_status": state,
        "transcription_url": url,
    }


def stamp(moment: datetime, zone: tzinfo) -> str:
    """Voximplant's date format: the zone stands once in the answer, not here."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def truth(session: Session, alias: str, now: datetime) -> Truth | None:
    """Return what the session amounts to at `now`; None before it started.

    A child account's session is none of the account's own, unless it is asked for.
    """
    if now < session.start or session.is_of_child:
        return None
    ended = now >= session.ended
    legs = sorted((line for line in session.legs if now >= line.begun), key=_leg_order)
    used = [line for line in session.resources if now >= line.begun]
    became = conversation(legs, used, session.finish) if ended else None
    outcome = became.outcome if became else "in_progress"
    is_known = outcome not in {"unknown", "in_progress"}
    is_inbound = direction(legs) == "inbound"
    lines = _lines(session, legs, now)
    cost = plain(sum((price for _, price, _ in lines), Decimal(0))) if lines else None
    iso = {"RUR": "RUB"}.get(currency(alias), currency(alias))
    return Truth(
        vendor="voximplant",
        account=alias.lower(),
        vendor_call_id=str(session.session_id),
        event_at=session.start,
        started_at=session.start,
        ended_at=session.ended if ended else None,
        direction=direction(legs),
        total_seconds=str(_seconds(session)) if ended else None,
        cost=cost,
        currency=None if cost is None else iso,
        lines=[
            {"component": line.component, "amount": plain(price), "leg": leg}
            for line, price, leg in lines
        ],
        legs=[_leg(line, now, ended=ended) for line in legs],
        vendor_outcome=session.finish if ended else None,
        payers=_payers(session),
        durations={"talk_seconds": str(became.talk_seconds)}
        if became and became.talk_seconds is not None
        else {},
        outcome=outcome,
        is_answered=outcome == "answered" if is_known else None,
        is_abandoned=None
        if is_inbound and outcome == "canceled"
        else has_given_up(outcome, is_inbound=is_inbound),
    )


def _leg(line: Line, now: datetime, *, ended: bool) -> dict[str, str | None]:
    price = line.price(now)
    return {
        "seconds": str(line.seconds) if ended or now >= line.ended else None,
        "cost": None if price is None else plain(price),
    }


def _leg_order(line: Line) -> tuple[datetime, object]:
    return line.begun, line.facts["call_id"]


def _payers(session: Session) -> list[dict[str, str | None]]:
    sent = {name: str(value) for name, value in session.facts.items() if value}
    named = (
        ("rule", None, sent.get("rule_name")),
        ("application", sent.get("application_id"), sent.get("application_name")),
        ("account", sent.get("account_id"), None),
    )
    return [
        {"kind": kind, "id": number, "name": name}
        for kind, number, name in named
        if number or name
    ]


def _lines(
    session: Session, legs: list[Line], now: datetime
) -> list[tuple[Line, Decimal, str]]:
    """Return the lines with a price, each charge once, and the number of its leg."""
    records = [line for line in session.records if now >= line.ended]
    resources = [line for line in session.resources if now >= line.begun]
    numbers = {line.facts["call_id"]: str(n) for n, line in enumerate(legs, 1)}
    seen: set[int] = set()
    lines = []
    for line in (*legs, *records, *resources):
        price = line.price(now)
        if price is None or line.transaction in seen:
            continue
        seen |= {line.transaction} - {0}
        named = line.facts.get("call_id") or line.facts.get("ref_call_id")
        lines.append((line, price, numbers.get(named, "")))
    return lines
