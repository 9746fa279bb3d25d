"""What became of one of Voximplant's calls: who was on the line at which second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.sandbox.voximplant.lines import RESOURCES, Line

FINISHED = {
    **dict.fromkeys(("Insufficient funds", "JS session error", "Timeout"), "failed"),
    "Internal error (billing timeout)": "failed",
    "Terminated administratively": "canceled",
}
"""What a session without legs became, by the word for its end."""
CODES = {486: "busy", 408: "no_answer", 480: "no_answer", 603: "rejected"}
GIVEN_UP = 487
MENU = 10
"""Seconds in the platform alone that are none of self-service."""
RINGING = timedelta(minutes=1)
SPEECH = {"ai_stt", "ai_tts"}


@dataclass(frozen=True)
class Conversation:
    """What became of a session that has ended."""

    outcome: str
    talk_seconds: int | None


def direction(legs: Sequence[Line]) -> str:
    """Return whose call it is, by the legs in turn."""
    if not legs:
        return "unknown"
    if len(legs) > 1 and all(map(_is_user, legs)):
        return "internal"
    is_inbound = legs[0].facts["incoming"] and not _is_user(legs[0])
    return "inbound" if is_inbound else "outbound"


def conversation(
    legs: Sequence[Line], resources: Sequence[Line], finish: str
) -> Conversation:
    """Return what became of an ended session, by its legs in turn."""
    customers = _customers(legs)
    others = [leg for leg in legs if leg not in customers]
    kind = direction(legs)
    if not legs:
        return Conversation(FINISHED.get(finish, "unknown"), None)
    if kind == "internal":
        callers, called = legs[:1], legs[1:]
        reached = sum(map(_is_answered, legs)) > 1
    else:
        callers, called = customers, others
        onward = [leg for leg in others if not leg.facts["incoming"]]
        asked = onward if kind == "inbound" or not customers else customers
        reached = any(map(_is_answered, asked))
        if kind == "inbound":
            reached = reached and _is_answered(customers[0])
    talk = _talk(callers, called)
    if reached:
        return Conversation("answered", talk)
    if kind == "outbound" and not customers and _is_answered(legs[0]):
        return Conversation("unknown", talk)
    if kind != "inbound":
        return Conversation(_word(customers or others), talk)
    return Conversation(_in_vain(customers[0], others, resources), talk)


def _in_vain(customer: Line, others: Sequence[Line], resources: Sequence[Line]) -> str:
    """Return what became of a call that came in and that nobody took."""
    if not _is_answered(customer):
        return "abandoned" if _code(customer) == GIVEN_UP else _word([customer])
    if not others:
        words = [str(one.facts["resource_type"]) for one in resources]
        heard = {RESOURCES[word][0] for word in words if word in RESOURCES}
        if heard >= SPEECH:
            return "answered"
        return "contained" if heard & SPEECH or customer.seconds > MENU else "unknown"
    until = _until(customer)
    if _code(others[-1]) == GIVEN_UP:
        dialled = others[-1].begun
        return "abandoned" if dialled <= until <= dialled + RINGING else "canceled"
    return _word(others)


def _word(legs: Sequence[Line]) -> str:
    code = _code(legs[-1])
    return "canceled" if code == GIVEN_UP else CODES.get(code, "failed")


def _customers(legs: Sequence[Line]) -> list[Line]:
    """Return the customer's legs: the first from outside, and further attempts."""
    outside = [leg for leg in legs if not _is_user(leg)]
    found = outside[:1]
    for leg in outside[1:]:
        goes_on = any(
            _is_answered(one) and one.begun < leg.begun < _until(one) for one in outside
        )
        is_dialled = leg.facts["remote_number_type"] in {"pstn", "mobile"}
        if is_dialled and not outside[0].facts["incoming"] and not goes_on:
            found.append(leg)
    return found


def _talk(callers: Sequence[Line], called: Sequence[Line]) -> int | None:
    """Return for how many seconds somebody of the business spoke with the customer."""
    there = [leg for leg in callers if _is_answered(leg)]
    taken = sorted(filter(_is_answered, called), key=lambda leg: leg.begun)
    spoken = [leg for leg in taken if _is_user(leg) or leg is taken[0]]
    if not there or not spoken:
        return None
    return len(_seconds(there) & _seconds(spoken))


def _seconds(legs: Sequence[Line]) -> set[int]:
    return {
        int(leg.begun.timestamp()) + after
        for leg in legs
        for after in range(leg.seconds)
    }


def _until(leg: Line) -> datetime:
    return leg.begun + timedelta(seconds=leg.seconds)


def _code(leg: Line) -> int:
    reason = leg.facts["end_reason"]
    return int(reason["code"]) if isinstance(reason, dict) else 0


def _is_user(leg: Line) -> bool:
    return leg.facts["remote_number_type"] == "user"


def _is_answered(leg: Line) -> bool:
    return bool(leg.facts["successful"])
