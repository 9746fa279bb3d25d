"""EvoVoice's /auth/*, /sessions, /accounts/{id}, /customers and /billing/usage.

Open in the document, read the hard way: days are UTC, a page holds at most 500 however
many are asked for, an unknown sort field is ignored, rows come last-modified first
unless sorted, live and archived sessions never come together, simplified paging says
"more" after every full page, and whoever does not ask for JSON gets HTML.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain

import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.evovoice import history as past
from pipelines.sandbox.evovoice import rating, usage
from pipelines.sandbox.evovoice.login import RefusedError, authenticate, sign_in
from pipelines.sandbox.wire import HTML_TYPE, Request, Response, reply
from pipelines.sandbox.world import BEGINNING, Truth, World, days, midnight

LARGEST_PAGE = 500
PAGE = b"<!doctype html><title>Evo Voice</title><p>Sign in</p>"
OLDEST_LIVE = timedelta(days=17)
SORTS = ("datecreated", "datelastmodified")

Shown = tuple[past.Session, msgspec.Raw]


def open_archive(world: World) -> Archive[past.Session]:
    """Return the history, with nothing asked yet."""
    accounts = [
        account_id
        for account in world.credentials.values()
        for account_id in account.evovoice_account_ids
    ]
    return Archive(
        world,
        "evovoice",
        (*accounts, past.FOREIGN_ACCOUNT),
        past.history,
        identity=lambda call: call.session_id,
        start=lambda call: call.created,
        correct=past.corrected,
    )


def answer(archive: Archive[past.Session], request: Request) -> Response:
    """Any request below /evovoice."""
    path = request.path.removeprefix("/evovoice")
    if path == "/login":
        return Response(200, PAGE, HTML_TYPE)
    try:
        if path == "/auth/credentials" and request.method == "POST":
            return sign_in(archive.world, request)
        return _signed_in(archive, path, request)
    except RefusedError as refusal:
        return _error(refusal)


def _signed_in(archive: Archive[past.Session], path: str, request: Request) -> Response:
    asked = _parameters(request)
    wants_json = "application/json" in request.headers.get("Accept", "")
    wants_json = wants_json or asked.get("format") == ["json"]
    alias = authenticate(archive.world, request)
    if alias is None and not wants_json:
        login = ("Location", "/evovoice/login?redirect=%2fsessions")
        return Response(302, b"", HTML_TYPE, (login,))
    if alias is None:
        raise RefusedError(401, "Unauthorized", "Not authenticated")
    if request.method != "GET":
        raise RefusedError(405, "NotSupportedException", "Method not allowed")
    response = _get(archive, alias, path, asked)
    return response if wants_json else Response(200, PAGE, HTML_TYPE)


def _error(refusal: RefusedError) -> Response:
    status = {"errorCode": refusal.code, "message": str(refusal), "errors": []}
    return reply({"responseStatus": status}, refusal.status)


def _parameters(request: Request) -> dict[str, list[str]]:
    asked = defaultdict(list)
    for name, value in request.query:
        asked[name.lower()].append(value)
    return dict(asked)


def _seen(archive: Archive[past.Session], alias: str) -> tuple[str, ...]:
    own = archive.world.credentials[alias].evovoice_account_ids
    return (*own, past.FOREIGN_ACCOUNT)


def _get(
    archive: Archive[past.Session], alias: str, path: str, asked: dict[str, list[str]]
) -> Response:
    kind, _, name = path.strip("/").partition("/")
    if path in ("/sessions", "/json/reply/ListSessions"):
        return _list(archive, alias, asked)
    if kind == "sessions":
        return _one_session(archive, alias, name)
    if path == "/auth/status":
        own = archive.world.credentials[alias]
        who = {"isAuthenticated": True, "emailAddress": own.evovoice_username}
        return reply(who | {"roles": [], "accountIds": list(_seen(archive, alias))})
    if kind == "accounts" and name:
        return _account(archive, alias, name)
    if path == "/customers":
        return _customers(archive, alias, asked)
    if path == "/billing/usage":
        return _usage(archive, alias, asked)
    if kind == "accounts":
        raise RefusedError(403, "UnauthorizedAccessException", "Invalid Role")
    raise RefusedError(404, "NotFound", "Could not find the route")


def _account(archive: Archive[past.Session], alias: str, account_id: str) -> Response:
    if account_id not in _seen(archive, alias):
        raise RefusedError(403, "UnauthorizedAccessException", "Wrong account")
    account: dict[str, object] = {
        "id": account_id,
        "name": f"Offices {account_id[-2:]}",
        "ancestorIds": [],
        "maxPhoneNumbers": 25,
        "isBYOA": rating.is_byoa(account_id),
        "billingSettings": rating.settings(archive.world, account_id),
        "dateCreated": "2023-05-06T07:08:09.0000000Z",
        "createdBy": "system",
    }
    return reply(account)


def _customers(
    archive: Archive[past.Session], alias: str, asked: dict[str, list[str]]
) -> Response:
    account_ids = _asked_accounts(asked, alias, archive)
    found = [
        customer
        for account_id in account_ids
        for customer in rating.customers(archive.world, account_id)
    ]
    page, size = _number(asked, "page", 0), _number(asked, "countperpage", 25)
    size = max(1, min(size, LARGEST_PAGE))
    return reply(
        {
            "items": found[page * size : (page + 1) * size],
            "totalCount": len(found),
            "totalPages": -(-len(found) // size),
            "hasMorePages": (page + 1) * size < len(found),
        }
    )


def _usage(
    archive: Archive[past.Session], alias: str, asked: dict[str, list[str]]
) -> Response:
    account_id = asked.get("accountid", [""])[-1]
    if account_id not in _seen(archive, alias):
        raise RefusedError(403, "UnauthorizedAccessException", "Wrong account")
    first, last = _day(asked, "startdate"), _day(asked, "enddate")
    if first is None or last is None:
        raise RefusedError(400, "ArgumentException", "StartDate and EndDate")
    return reply(usage.records(archive, account_id, first, last))


def _asked_accounts(
    asked: dict[str, list[str]], alias: str, archive: Archive[past.Session]
) -> tuple[str, ...]:
    seen = _seen(archive, alias)
    account_ids = tuple(sorted(_texts(asked, "accountids"))) or seen
    if not set(account_ids) <= set(seen):
        raise RefusedError(403, "UnauthorizedAccessException", "Wrong account")
    return account_ids


def _one_session(
    archive: Archive[past.Session], alias: str, session_id: str
) -> Response:
    now = archive.world.clock.now
    for session in _by_ids(archive, _seen(archive, alias), {session_id}):
        record = past.record(session, now)
        if record is not None and now < session.archived:
            del record["log"]
            return reply(record)
    raise RefusedError(404, "FileNotFoundException", "Session not found")


def _by_ids(
    archive: Archive[past.Session], account_ids: tuple[str, ...], ids: set[str]
) -> Iterator[past.Session]:
    for session_id in ids:
        try:
            moment = datetime.fromtimestamp(int(session_id[:8], 16), UTC)
        except ValueError:
            continue
        move = archive.changes.moved.get(session_id)
        moment = moment if move is None else move.start
        for account_id in account_ids:
            for session in archive.between(account_id, moment, moment):
                if session.session_id == session_id:
                    yield session


def _list(
    archive: Archive[past.Session], alias: str, asked: dict[str, list[str]]
) -> Response:
    page, size = _number(asked, "page", 0), _number(asked, "countperpage", 25)
    size = max(1, min(size, LARGEST_PAGE))
    found = _sorted(
        list(_matching(archive, alias, asked)), asked, archive.world.clock.now
    )
    if _flag(asked, "all"):
        page, size = 0, max(1, len(found))
    items = [body for _, body in found[page * size : (page + 1) * size]]
    simple = _flag(asked, "simplifiedpaging")
    more = len(items) == size if simple else (page + 1) * size < len(found)
    return reply(
        {
            "items": items,
            "totalCount": 0 if simple else len(found),
            "totalPages": 0 if simple else -(-len(found) // size),
            "hasMorePages": more,
        }
    )


def _number(asked: dict[str, list[str]], name: str, default: int) -> int:
    text = asked.get(name, [str(default)])[-1]
    if not text.isdecimal():
        raise RefusedError(400, "FormatException", f"Invalid value for {name}")
    return int(text)


def _flag(asked: dict[str, list[str]], name: str) -> bool:
    return asked.get(name, [""])[-1].lower() in ("true", "1")


def _texts(asked: dict[str, list[str]], name: str) -> set[str]:
    return {part for v in asked.get(name, []) for part in v.split(",") if part}


def _day(asked: dict[str, list[str]], name: str) -> date | None:
    if name not in asked:
        return None
    try:
        return datetime.strptime(asked[name][-1], "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise RefusedError(400, "FormatException", f"Invalid {name}") from error


def _matching(
    archive: Archive[past.Session], alias: str, asked: dict[str, list[str]]
) -> Iterator[Shown]:
    now = archive.world.clock.now
    archived = _flag(asked, "searcharchive")
    account_ids = _asked_accounts(asked, alias, archive)
    oldest = BEGINNING if archived else (now - OLDEST_LIVE).date()
    first = max(oldest, _day(asked, "startdate") or oldest)
    last = min(now.date(), _day(asked, "enddate") or now.date())
    keep = partial(_kept, asked=asked)
    for account_id in account_ids:
        for day in days(midnight(first), midnight(last)):
            for row in archive.shown(account_id, day, None, past.record):
                if (row[0].archived <= now) == archived and keep(row[0]):
                    yield row


def _kept(session: past.Session, asked: dict[str, list[str]]) -> bool:
    sets = {
        "specificids": session.session_id,
        "customerids": session.opening["customerId"],
        "endpointids": session.opening["endpointId"],
        "parentsessionid": session.parent_id,
    }
    parts = {"from": "fromAddress", "to": "toAddress"}
    return all(
        value in _texts(asked, name) for name, value in sets.items() if name in asked
    ) and all(
        asked[name][-1] in str(session.opening.get(member, ""))
        for name, member in parts.items()
        if name in asked
    )


def _sorted(
    found: list[Shown], asked: dict[str, list[str]], now: datetime
) -> list[Shown]:
    by = asked.get("sortfield", [""])[-1].lower()
    down = asked.get("sortorder", ["Ascend"])[-1].lower() == "descend"
    created = by == "datecreated"
    return sorted(
        found,
        key=lambda row: (
            row[0].created if created else row[0].modified(now),
            row[0].session_id,
        ),
        reverse=down if by in SORTS else True,
    )


def price_items(archive: Archive[past.Session]) -> Iterator[dict[str, object]]:
    """Yield each item of the price lists of the configured accounts."""
    accounts = _accounts(archive.world).values()
    return rating.price_items(archive.world, chain.from_iterable(accounts))


def truth(
    archive: Archive[past.Session], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every voice session of the configured accounts created in [since, until)."""
    return rating.truth(archive, _accounts(archive.world), since, until)


def _accounts(world: World) -> dict[str, tuple[str, ...]]:
    return {
        alias: account.evovoice_account_ids
        for alias, account in world.credentials.items()
    }
