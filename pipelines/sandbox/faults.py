"""What can go wrong with one response, armed ahead of the request it will hit."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from pipelines.sandbox.wire import HTML_TYPE, Response, encode, reply

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
PAGE_TOKEN = "next_page_token"  # noqa: S105 - the name of it
FAR_IDS: dict[str, object] = {"voximplant": 999_999_999_999_999}

Body = dict[str, object]
Record = dict[str, object]


@dataclass
class Fault:
    """One armed fault: spares `after` matching requests, then hits `times` of them.

    `path` narrows it to paths that contain the text; without it no token or login
    request is hit, and no account either by the kinds that spoil a page of records.
    The other members belong to single kinds.
    """

    vendor: str
    kind: str
    times: int = 1
    after: int = 0
    path: str | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    seconds: float = 1.0
    location: str = ELSEWHERE
    variant: str = "id"
    framed: bool = False


def take(armed: list[Fault], vendor: str, path: str) -> Fault | None:
    """Return the fault that hits this request, if any; counts it down."""
    for fault in armed:
        if fault.vendor != vendor or not _meant(fault, path) or fault.times <= 0:
            continue
        if fault.after > 0:
            fault.after -= 1
            continue
        fault.times -= 1
        return fault
    return None


def _meant(fault: Fault, path: str) -> bool:
    if fault.path is not None:
        return fault.path in path
    if "/oauth/" in path or "/auth/" in path:
        return False
    lists_only = fault.kind in EDITS or fault.kind == "repeat_page"
    return not (lists_only and ("/accounts/" in path or "GetAccountInfo" in path))


def instead(fault: Fault) -> Response | None:
    """Return what is sent instead of the vendor's own; None when it is asked."""
    kind = fault.kind
    if kind == "status":
        return _status(fault)
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


def spoil(fault: Fault, response: Response, previous: Response | None) -> Response:
    """Return the vendor's own response with the fault in it."""
    if fault.kind == "repeat_page":
        return previous or response
    if fault.kind == "truncated":
        half = response.body[: len(response.body) // 2]
        return replace(response, body=half) if fault.framed else _cut(response)
    edit = EDITS.get(fault.kind)
    if edit is None:
        return response
    body = json.loads(response.body, parse_float=Decimal)
    edit(fault, body, SHAPES[fault.vendor][0])
    return replace(response, body=encode(body))


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
    elif records:
        records[len(records) // 2].pop(name, None)


def _far_future(fault: Fault, body: Body, key: str) -> None:
    records = _records(body, key)
    _, name, moment, far = SHAPES[fault.vendor]
    strange = records[-1] if records else {}
    far_id = FAR_IDS.get(fault.vendor, "ffffffff-0000-4000-8000-000000002099")
    records.append(strange | {name: far_id, moment: far})


def _expire_page_token(_: Fault, body: Body, __: str) -> None:
    """Hand out a token that has ended by the time it comes back."""
    if body.get(PAGE_TOKEN):
        body[PAGE_TOKEN] = "ended"


def _records(body: Body, key: str) -> list[Record]:
    records = body.get(key)
    return records if isinstance(records, list) else []


EDITS: dict[str, Callable[[Fault, Body, str], None]] = {
    "missing_key": _missing_key,
    "renamed_key": _renamed_key,
    "null_records": _null_records,
    "malformed_record": _malformed_record,
    "extra_record_far_future": _far_future,
    "expire_page_token": _expire_page_token,
}
KINDS = (
    *EDITS,
    "html",
    "error200",
    "not_json",
    "truncated",
    "status",
    "slow",
    "repeat_page",
    "redirect",
    "expire_token",
)
