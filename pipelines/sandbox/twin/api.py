"""TWIN's login and its list of incoming call sessions.

Open in the document, read the hard way: the date field's parameter has a name of its
own, and a parameter under any other name is ignored without a word; both bounds are
strict; `updatedAt` is null until the call has finished; rows of equal sort value, and
all rows when no sort is asked for, come in the order of their random ids.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import jwt
import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.credentials import TWIN_DATE_FIELD, TWIN_PATH
from pipelines.sandbox.twin import history as past
from pipelines.sandbox.twin import record as view
from pipelines.sandbox.wire import RefusedError, Request, Response, reply
from pipelines.sandbox.world import Truth, World, days

LIMITS = range(1, 1001)
DEEPEST = 10_000
LONGEST_LAG = timedelta(days=3)
DATE_FIELDS = ("createdAt", "updatedAt", "startedAt", "finishedAt", "billedAt")
LISTED = (
    "callId,startedAt,number,callingNumber,regionName,timezone,duration,totalCost,"
    "recordPath,messagesAsString,resultsString,emotion,robotCallDuration,"
    "hungUpBy,gender,nps,isAssistantRequest,markers,externalId,"
    "additional,currentStatusName,mainCallCost,mainCallDiscount,mainCallDuration,"
    "mainCallTotalCost,aiCallDuration,aiCallTotalCost,aiCallCost,aiCallLlmTotalCost,"
    "aiCallTtsTotalCost,aiCallSttTotalCost,autoCallCost,autoCallDiscount,"
    "autoCallDuration,autoCallTotalCost,robotCallCost,robotCallDiscount,"
    "robotCallTotalCost,transferCallCost,transferCallDiscount,transferCallDuration,"
    "transferCallTotalCost,companyId,allResults,depersonalized"
)

Shown = tuple[past.Call, msgspec.Raw]


def open_archive(world: World) -> Archive[past.Call]:
    """Return the history, with nothing asked yet."""
    return Archive(
        world,
        "twin",
        world.aliases,
        past.history,
        identity=lambda call: call.call_id,
        start=lambda call: call.created,
        correct=past.corrected,
    )


def answer(archive: Archive[past.Call], request: Request) -> Response:
    """Any request below /twin or /twin-iam."""
    if request.path == "/twin-iam/api/v1/auth/login":
        return _login(archive, request)
    alias = archive.world.tokens["twin"].owner(request.bearer())
    if alias is None:
        return _error(401, "User is not authenticated")
    if (request.method, request.path) != ("GET", f"/twin/api/v1{TWIN_PATH}"):
        return _error(404, "Not found")
    try:
        return _list(archive, alias, request)
    except RefusedError as refusal:
        return _error(400, str(refusal))
    except PermissionError:
        return _error(403, "Invalid user permissions")


def _error(status: int, message: str) -> Response:
    return reply({"status": status, "message": message}, status)


def _login(archive: Archive[past.Call], request: Request) -> Response:
    sent = request.document()
    if request.method != "POST" or sent is None:
        return _error(400, "Invalid input parameters")
    for account in archive.world.credentials.values():
        pair = (account.twin_email, account.twin_password)
        if (sent.get("email"), sent.get("password")) == pair:
            break
    else:
        return _error(401, "User is not authenticated")
    ttl = sent.get("ttl", 3600)
    if not isinstance(ttl, int) or ttl <= 0:
        return _error(400, "Invalid input parameters")
    tokens = archive.world.tokens["twin"]
    name = tokens.name(account.twin_password)
    claims = {"jti": name, "sub": "17", "company_id": account.twin_company_id}
    token = jwt.encode(claims, name * 2, algorithm="HS512")
    tokens.register(token, account.alias, ttl)
    return reply({"token": token, "refreshToken": tokens.name("refresh")})


def _list(archive: Archive[past.Call], alias: str, request: Request) -> Response:
    asked = dict(request.query)
    company = str(archive.world.credentials[alias].twin_company_id)
    companies = [v for k, v in request.query if k in ("companyIds", "companyIds[]")]
    if any(part != company for v in companies for part in v.split(",")):
        raise PermissionError
    limit, offset = _page(asked)
    name = asked.get(TWIN_DATE_FIELD, "createdAt")
    if name not in DATE_FIELDS:
        raise RefusedError("Invalid input parameters: date field")
    window = (_moment(asked, "from"), _moment(asked, "to"))
    fields = tuple(asked.get("fields", LISTED).split(","))
    found = list(_matching(archive, alias, name, window, fields))
    if "callId" in asked:
        found = [row for row in found if row[0].call_id == asked["callId"]]
    _sort(found, asked.get("sort", ""), archive.world.clock.now)
    page = found[offset : offset + limit]
    return reply({"count": len(found), "items": [body for _, body in page]})


def _page(asked: dict[str, str]) -> tuple[int, int]:
    if "page" in asked and "offset" in asked:
        raise RefusedError("Invalid input parameters: page and offset")
    numbers = [asked.get("limit", "10"), asked.get("offset", "0")]
    numbers.append(asked.get("page", "0"))
    if not all(number.isdecimal() for number in numbers):
        raise RefusedError("Invalid input parameters: limit, offset, page")
    limit, offset, page = map(int, numbers)
    offset += page * limit
    if limit not in LIMITS or offset + limit > DEEPEST:
        raise RefusedError("Invalid input parameters: limit, offset")
    return limit, offset


def _moment(asked: dict[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(asked.get(name, ""))
    except ValueError as error:
        raise RefusedError(f"Invalid input parameters: {name}") from error
    if moment.tzinfo is None:
        raise RefusedError(f"Invalid input parameters: {name} has no offset")
    return moment


def _dates(now: datetime) -> dict[str, Callable[[past.Call], datetime | None]]:
    def until_now(moment: datetime | None) -> datetime | None:
        return moment if moment is not None and moment <= now else None

    return {
        "createdAt": lambda call: call.created,
        "updatedAt": lambda call: call.updated(now),
        "startedAt": lambda call: until_now(call.started),
        "finishedAt": lambda call: until_now(call.finished),
        "billedAt": lambda call: until_now(call.billed),
    }


def _matching(
    archive: Archive[past.Call],
    alias: str,
    name: str,
    window: tuple[datetime, datetime],
    fields: tuple[str, ...],
) -> Iterator[Shown]:
    since, until = window
    date_of = _dates(archive.world.clock.now)[name]
    earliest = since
    if name != "createdAt":
        # Whatever was corrected has changed, however long ago it was created.
        moved = (move.start for move in archive.changes.moved.values())
        earliest = min([since - LONGEST_LAG, *moved])
    render = partial(_picked, fields=fields)
    for day in days(earliest, min(until, archive.world.clock.now)):
        for call, body in archive.shown(alias, day, fields, render):
            moment = date_of(call)
            if moment is not None and since < moment < until:
                yield call, body


def _picked(
    call: past.Call, now: datetime, fields: tuple[str, ...]
) -> dict[str, object] | None:
    record = view.record(call, now)
    if record is None:
        return None
    return {name: record[name] for name in fields if name in record}


def _sort(found: list[Shown], order: str, now: datetime) -> None:
    found.sort(key=lambda row: row[0].call_id)
    for term in reversed([term.strip() for term in order.split(",") if term.strip()]):
        name = term.lstrip("+-")
        if name == "startedAt":
            found.sort(
                key=lambda row: (
                    row[0].started or datetime.min.replace(tzinfo=now.tzinfo)
                ),
                reverse=term.startswith("-"),
            )
        elif name == "duration":
            found.sort(key=lambda row: row[0].duration, reverse=term.startswith("-"))
        else:
            raise RefusedError("Invalid input parameters: sort")


def truth(
    archive: Archive[past.Call], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every session created in [since, until) and not after the clock."""
    return archive.truths(since, until, view.truth)
