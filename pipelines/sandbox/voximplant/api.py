"""Voximplant's GetCallHistory, GetTransactionHistory and GetAccountInfo.

Open in the document, read as a real answer shows it (voximplant.md, section 6):
missing dates are a warning beside the rows, without `timezone` it is Etc/GMT. Both
bounds belong to the window, to the second; a failure is an HTTP 200 with `error`.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import jwt

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.voximplant import arguments, transactions
from pipelines.sandbox.voximplant import history as past
from pipelines.sandbox.voximplant import record as view
from pipelines.sandbox.voximplant.arguments import RefusedError
from pipelines.sandbox.wire import Request, Response, reply
from pipelines.sandbox.world import Truth, World, days

API = "/voximplant/platform_api"
CLOCK_SKEW = 10
LONGEST_TOKEN = 3600
PARTS = ("with_calls", "with_records", "with_other_resources")


def open_archive(world: World) -> Archive[past.Session]:
    """Return the history, with nothing asked yet."""
    return Archive(
        world,
        "voximplant",
        world.aliases,
        past.history,
        identity=lambda call: str(call.session_id),
        start=lambda call: call.start,
        correct=past.corrected,
    )


def answer(archive: Archive[past.Session], request: Request) -> Response:
    """Any request below /voximplant."""
    asked = dict(request.query) | dict(request.form())
    command = request.path.removeprefix(API).strip("/") or asked.get("cmd", "")
    try:
        alias = _authorize(archive.world, request.bearer())
        return _run(archive, alias, command, asked)
    except RefusedError as refusal:
        return reply({"error": {"code": refusal.code, "msg": str(refusal)}})


def _run(
    archive: Archive[past.Session], alias: str, command: str, asked: dict[str, str]
) -> Response:
    if asked.get("output", "json") != "json":
        raise RefusedError(105, "Output format isn't supported")
    if command == "GetCallHistory":
        return _call_history(archive, alias, asked)
    if command == "GetTransactionHistory":
        return _transactions(archive, alias, asked)
    if command == "GetAccountInfo":
        return _account_info(archive, alias)
    if not command:
        raise RefusedError(102, "Missing 'cmd' argument")
    raise RefusedError(103, "Unknown command")


def _authorize(world: World, token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
        accounts = world.credentials.values()
        account = next(
            a for a in accounts if a.voximplant_key_id == header.get("kid", "")
        )
        claims = jwt.decode(
            token,
            world.public_key,
            algorithms=["RS256"],
            # As in the vendor's credentials.json, iss may be a number.
            options={"verify_exp": False, "verify_iat": False, "verify_iss": False},
        )
    except (jwt.InvalidTokenError, StopIteration) as error:
        raise RefusedError(100, "Authorization failed") from error
    issuer, issued, expires = (claims.get(name) for name in ("iss", "iat", "exp"))
    now = time.time()
    if (
        str(issuer) != account.voximplant_account_id
        or not isinstance(issued, int)
        or not isinstance(expires, int)
        or issued > now + CLOCK_SKEW
        or expires > issued + LONGEST_TOKEN
    ):
        raise RefusedError(100, "Authorization failed")
    if expires <= now:
        raise RefusedError(456, "Token is expired")
    return account.alias


def _account_info(archive: Archive[past.Session], alias: str) -> Response:
    account = archive.world.credentials[alias]
    info = {
        "account_id": int(account.voximplant_account_id),
        "account_name": alias.lower(),
        "active": True,
        "created": "2019-03-04 05:06:07",
        "currency": past.currency(alias),
        "location": str(past.LOCATION),
        "language_code": "en",
        "api_key": f"never stored {alias}",
        "callback_salt": f"never stored either {alias}",
    }
    return reply({"result": info})


def _call_history(
    archive: Archive[past.Session], alias: str, asked: dict[str, str]
) -> Response:
    arguments.check_names(asked, arguments.CALL_HISTORY)
    if arguments.flag(asked, "is_async"):
        raise RefusedError(101, "Invalid argument: is_async requires output=csv")
    return _page(asked, *_found(archive, alias, asked))


def _transactions(
    archive: Archive[past.Session], alias: str, asked: dict[str, str]
) -> Response:
    arguments.check_names(asked, arguments.TRANSACTIONS)
    zone, now = arguments.zone(asked), archive.world.clock.now
    since, until, warnings = arguments.window(asked, zone, now)
    reserved = arguments.flag(asked, "is_uncommitted")
    is_extended = arguments.flag(asked, "with_extended_info")
    ids = arguments.numbers(asked, "transaction_id")
    kinds = arguments.texts(asked.get("transaction_type"))
    found: list[object] = [
        transactions.shown(one, past.currency(alias), zone, is_extended=is_extended)
        for one in transactions.listed(archive, alias, since, until, reserved=reserved)
        if ids is None or one.number in ids
        if not kinds or one.kind in kinds
    ]
    beside: dict[str, object] = {"timezone": str(zone)}
    is_warned = warnings and not reserved
    return _page(asked, found, beside | ({"warnings": warnings} if is_warned else {}))


def _page(
    asked: dict[str, str], found: list[object], beside: dict[str, object]
) -> Response:
    """Return a page of what was found, with what the answer says beside it."""
    count = arguments.whole(asked, "count", 20, arguments.COUNTS)
    offset = arguments.whole(asked, "offset", 0, arguments.OFFSETS)
    if arguments.flag(asked, "desc_order"):
        found.reverse()
    page = found[offset : offset + count]
    shown: dict[str, object] = {"result": page}
    if arguments.flag(asked, "with_total_count"):
        shown["total_count"] = len(found)
    return reply(shown | {"count": len(page)} | beside)


def _found(
    archive: Archive[past.Session], alias: str, asked: dict[str, str]
) -> tuple[list[object], dict[str, object]]:
    """Return the sessions asked for, and what the answer says beside them."""
    zone, now = arguments.zone(asked), archive.world.clock.now
    since, until, warnings = arguments.window(asked, zone, now)
    parts = tuple(arguments.flag(asked, name) for name in PARTS)
    legs, records, resources = parts
    render = partial(view.record, zone=zone, parts=(legs, records, resources))
    account = int(archive.world.credentials[alias].voximplant_account_id)
    wanted = arguments.filters(asked, account)
    found: list[object] = [
        body
        for day in days(since, min(until, now))
        for call, body in archive.shown(alias, day, (str(zone), parts), render)
        if since <= call.start <= until and wanted(call, now)
    ]
    beside: dict[str, object] = {"timezone": str(zone)}
    return found, beside | ({"warnings": warnings} if warnings else {})


def truth(
    archive: Archive[past.Session], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every session that starts in [since, until) and not after the clock."""
    return archive.truths(since, until, view.truth)
