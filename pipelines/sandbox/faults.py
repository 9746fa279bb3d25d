"""What can go wrong with one response, armed ahead of the request it will hit."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from pipelines.sandbox.wire import HTML_TYPE, Request, Response, encode, reply

HTML = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"
ELSEWHERE = "https://elsewhere.invalid/collect"

# Vendor: key of the records, key of a record's id, key of its time, a far time.
SHAPES = {
    "zoom": ("voice_calls", "engagement_id", "start_time", "2099-01-01T00:00:00+00:00"),
    "voximplant": (
        "result",
        "call_session_history_id",
        "start_date",
        "2099-01-01 00:00:00",
    ),
    "evovoice": ("items", "id", "dateCreated", "2099-01-01T00:00:00.0000000Z"),
    "twin": ("items", "callId", "createdAt", "2099-01-01T00:00:00+00:00"),
    "whippy": ("data", "id", "created_at", "2099-01-01T00:00:00.000000Z"),
}
TOTALS = {
    "zoom": "total_records",
    "voximplant": "total_count",
    "evovoice": "totalCount",
    "twin": "count",
    "whippy": "total",
}
FAR_IDS: dict[str, object] = {"voximplant": 999_999_999_999_999}

NO_CALLS = ("/accounts/", "GetAccountInfo", "/customers", "/billing/usage")
"""Parts of paths whose answers have no records of calls."""
NUL_TEXT = "a\0b"

Body = dict[str, object]
Record = dict[str, object]


@dataclass
class Fault:
    """One armed fault: spares `after` matching requests, then hits `times` of them.

    `times` null hits for good; `every` spares that many again after each hit.
    `path` narrows it to paths that contain the text; without it no token or login
    request is hit, and no path of `NO_CALLS` by the kinds that spoil a page of records.
    The other members belong to single kinds.
    """

    vendor: str
    kind: str
    times: int | None = 1
    after: int = 0
    every: int = 0
    path: str | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    seconds: float = 1.0
    location: str = ELSEWHERE
    variant: str = "id"
    framed: bool = False
    more: int = 1
    """How many records more than there are a total counts."""
    change: str = "removed"
    """The control endpoint that gets ``body`` just before the answer."""
    hits: int = 0
    """How many answers it really changed."""


def take(armed: list[Fault], vendor: str, request: Request) -> Fault | None:
    """Return the fault that hits this request, if any; counts it down."""
    for fault in armed:
        if fault.vendor != vendor or not _meant(fault, request) or fault.times == 0:
            continue
        if fault.after > 0:
            fault.after -= 1
            continue
        if fault.times is not None:
            fault.times -= 1
        fault.after = fault.every
        return fault
    return None


def _meant(fault: Fault, request: Request) -> bool:
    path = request.path
    if fault.path is not None:
        return fault.path in path
    if "/oauth/" in path or "/auth/" in path:
        return fault.kind == "sign_in_down"
    if fault.kind == "sign_in_down":
        return False
    if fault.kind == "later_page":
        return is_later_page(request)
    if fault.kind == "expire_page_token":
        return bool(page_token(request))
    lists_only = fault.kind in EDITS or fault.kind in REPLAYS
    return not (lists_only and any(one in path for one in NO_CALLS))


def is_later_page(request: Request) -> bool:
    """Return whether it asks for a page that is not the first one."""
    document = request.document() or {}
    members = (*request.query, *request.form(), *document.items())
    sent: dict[str, object] = {key.lower(): value for key, value in members}
    later = {name: sent.get(name) for name in ("offset", "page", "next_page_token")}
    return any(value not in {None, "", "0", 0} for value in later.values())


def page_token(request: Request) -> str:
    """Return the token of the page asked for; empty for a first page."""
    return dict(request.query).get("next_page_token", "")


def instead(fault: Fault, now: datetime) -> Response | None:
    """Return what is sent instead of the vendor's own; None when it is asked."""
    kind = fault.kind
    if kind in ZOOM_LIMITS:
        return _zoom_limit(kind, now)
    if kind == "status":
        return _status(fault)
    if kind == "sign_in_down":
        return reply(_error(fault.vendor, fault.status), fault.status)
    if kind == "expire_token" and fault.vendor == "voximplant":
        return reply({"error": {"code": 456, "msg": "Token is expired"}})
    if kind == "error200":
        return reply(_error(fault.vendor, 500))
    away = ("Location", fault.location)
    fixed = {
        "html": Response(200, HTML, HTML_TYPE),
        "not_json": Response(200, b"\x1f\x8b!! not json {["),
        "redirect": Response(302, b"", HTML_TYPE, (away,)),
    }
    return fixed.get(kind)


def _status(fault: Fault) -> Response:
    body = _error(fault.vendor, fault.status) if fault.body is None else fault.body
    sent = body.encode() if isinstance(body, str) else encode(body)
    return Response(fault.status, sent, headers=tuple(fault.headers.items()))


SEE_HEADER = (
    "Refer to the response header for details on when you can make another request."
)
ZOOM_LIMITS = {
    "second_limit": ("QPS", "per-second", "Try again later."),
    "daily_limit": ("Daily-limit", "daily", SEE_HEADER),
}
"""The header and the message of each limit, as Zoom documents them."""


def _zoom_limit(kind: str, now: datetime) -> Response:
    limit, name, advice = ZOOM_LIMITS[kind]
    message = f"You have reached the maximum {name} rate limit for this API. {advice}"
    headers = {"X_RateLimit_Category": "Heavy", "X_RateLimit_Type": limit}
    if kind == "daily_limit":
        headers["Retry_After"] = f"{now + timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    return reply({"code": 429, "message": message}, 429, **headers)


def _error(vendor: str, status: int) -> Body:
    text = "partial"
    bodies: dict[str, Body] = {
        "zoom": {"code": status, "message": text},
        "voximplant": {"error": {"code": 2, "msg": "Internal error"}},
        "evovoice": {"responseStatus": {"errorCode": "Exception", "message": text}},
        "twin": {"error": text},
        "whippy": {"errors": [{"description": text}], "status": status},
    }
    return bodies[vendor]


@dataclass(frozen=True)
class Memory:
    """What a vendor answered before, on the same path."""

    last: Response | None = None
    other: Response | None = None
    """The last answer to another question: of another window."""
    total: object = None
    """What this window's total was when it was asked for before."""


def spoil(fault: Fault, response: Response, memory: Memory) -> Response:
    """Return the vendor's own response with the fault in it."""
    if fault.kind == "repeat_page":
        return memory.last or response
    if fault.kind == "cached_answer":
        return memory.other or response
    if fault.kind == "truncated":
        half = response.body[: len(response.body) // 2]
        return replace(response, body=half) if fault.framed else _cut(response)
    edit = EDITS.get(fault.kind)
    if edit is None:
        return response
    body = json.loads(response.body, parse_float=Decimal)
    if fault.kind == "stale_total" and memory.total is not None:
        body[TOTALS[fault.vendor]] = memory.total
    edit(fault, body, SHAPES[fault.vendor][0])
    return replace(response, body=encode(body))


def edits(fault: Fault) -> bool:
    """Return whether a fault works by another body than the vendor's own."""
    return fault.kind in EDITS or fault.kind in {*REPLAYS, "truncated"}


def _cut(response: Response) -> Response:
    return replace(response, cut=True)


def _missing_key(_: Fault, body: Body, key: str) -> None:
    body.pop(key, None)


def _renamed_key(_: Fault, body: Body, key: str) -> None:
    body[f"{key}V2"] = body.pop(key, None)


def _null_records(_: Fault, body: Body, key: str) -> None:
    body[key] = None


def _malformed_record(fault: Fault, body: Body, key: str) -> None:
    records = _records(body, key)
    _, name, moment, _ = SHAPES[fault.vendor]
    if records and fault.variant == "timestamp":
        records[len(records) // 2][moment] = 12345
    elif fault.variant == "all":
        for record in records:
            record.pop(name, None)
    elif records:
        records[len(records) // 2].pop(name, None)


def _far_future(fault: Fault, body: Body, key: str) -> None:
    records = _records(body, key)
    _, name, moment, far = SHAPES[fault.vendor]
    strange = records[-1] if records else {}
    far_id = FAR_IDS.get(fault.vendor, "ffffffff-0000-4000-8000-000000002099")
    records.append(strange | {name: far_id, moment: far})


def _records(body: Body, key: str) -> list[Record]:
    records = body.get(key)
    return records if isinstance(records, list) else []


def total(vendor: str, response: Response) -> object:
    """Return the total in a vendor's response; None where it has none."""
    try:
        body = msgspec.json.decode(response.body, type=dict[str, msgspec.Raw])
        found = body.get(TOTALS[vendor])
        return None if found is None else msgspec.json.decode(found)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # a page for a browser, or a token


def _inexact_total(fault: Fault, body: Body, _: str) -> None:
    name = TOTALS[fault.vendor]
    count = body.get(name)
    if isinstance(count, int):
        body[name] = count + fault.more


def _unchanged(_: Fault, __: Body, ___: str) -> None:
    """Leave the body: what is wrong with it was put in from memory."""


def _error_beside(fault: Fault, body: Body, _: str) -> None:
    trouble: Record = {"code": 500, "message": "partial", "msg": "partial"}
    body["error"] = trouble if fault.body is None else fault.body


def _errors_beside(fault: Fault, body: Body, _: str) -> None:
    trouble = [{"code": 500, "description": "partial"}]
    body["errors"] = trouble if fault.body is None else fault.body


def _warnings(fault: Fault, body: Body, _: str) -> None:
    warnings = ["Required 'from_date' parameter isn't set."]
    body["warnings"] = warnings if fault.body is None else fault.body


def _nul_in_text(_: Fault, body: Body, key: str) -> None:
    for record in _records(body, key):
        record["note"] = NUL_TEXT


EDITS: dict[str, Callable[[Fault, Body, str], None]] = {
    "missing_key": _missing_key,
    "renamed_key": _renamed_key,
    "null_records": _null_records,
    "malformed_record": _malformed_record,
    "extra_record_far_future": _far_future,
    "inexact_total": _inexact_total,
    "stale_total": _unchanged,
    "error_beside": _error_beside,
    "errors_beside": _errors_beside,
    "warnings": _warnings,
    "nul_in_text": _nul_in_text,
}
REPLAYS = ("repeat_page", "cached_answer")
ENDS_TOKENS = ("expire_token", "another_program")
"""Kinds that end the tokens handed out: of old age, or as another program signs in."""
ONLY = {
    "sign_in_down": ("zoom", "evovoice", "twin"),
    "another_program": ("zoom", "evovoice", "twin"),
    "expire_page_token": ("zoom",),
    **dict.fromkeys(ZOOM_LIMITS, ("zoom",)),
    "warnings": ("voximplant",),
}
"""Kinds that make sense for some vendors alone."""
CHANGES = ("meanwhile", "later_page")
"""Kinds that change calls while they are listed: before any answer, or a later page."""
KINDS = (
    *EDITS,
    *CHANGES,
    "html",
    "error200",
    "not_json",
    "truncated",
    "status",
    "slow",
    *REPLAYS,
    "redirect",
    *ZOOM_LIMITS,
    *ENDS_TOKENS,
    "sign_in_down",
    "expire_page_token",
)
