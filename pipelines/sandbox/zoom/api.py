"""Zoom's token endpoint, GET /contact_center/voice_calls and .../engagements.

Open in the document, read the hard way: both bounds belong to the window, the order is
arbitrary (but one chain of pages keeps it), a page token works only with the very same
query, a page size above 100 is refused, and `to` as a date means its first second.
The engagements need a scope that nobody has until it is granted, and are of every
channel.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from random import Random

import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.wire import RefusedError, Request, Response, encode, reply
from pipelines.sandbox.world import Truth, World, days
from pipelines.sandbox.zoom import history as past
from pipelines.sandbox.zoom import record as view

PAGE_SIZES = range(1, 101)
TOKEN_SECONDS = 15 * 60
LONGEST_WINDOW = timedelta(days=31)
LISTS = {
    "/zoom/v2/contact_center/voice_calls": "voice_calls",
    "/zoom/v2/contact_center/engagements": "engagements",
}
SCOPE = "contact_center:read:list_engagements:admin"
STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(Z|[+-]\d\d:\d\d))?", re.ASCII
)

Shown = tuple[past.Engagement, msgspec.Raw]


@dataclass(frozen=True)
class Chain:
    """A listing under way: its rows in their order, and the query it belongs to."""

    alias: str
    query: tuple[tuple[str, str], ...]
    rows: list[Shown]
    position: int
    deadline: float


def open_archive(world: World) -> Archive[past.Engagement]:
    """Return the history, with nothing asked yet."""
    return Archive(
        world,
        "zoom",
        world.aliases,
        past.history,
        identity=lambda call: call.engagement_id,
        start=lambda call: call.start,
        correct=past.corrected,
    )


def answer(archive: Archive[past.Engagement], request: Request) -> Response:
    """Any request below /zoom."""
    if request.path == "/zoom/oauth/token":
        return _token(archive, request)
    alias = archive.world.tokens["zoom"].owner(request.bearer())
    if alias is None:
        return _error(401, 124, "Invalid access token.")
    listed = LISTS.get(request.path)
    if listed == "engagements" and SCOPE not in archive.world.scopes:
        message = f"Invalid access token, does not contain scopes:[{SCOPE}]."
        return _error(400, 4711, message)
    if listed is None or request.method != "GET":
        return _error(404, 404, "The requested resource does not exist.")
    try:
        return _list(archive, alias, request, listed)
    except RefusedError as refusal:
        return _error(400, 300, str(refusal))


def _error(status: int, code: int, message: str) -> Response:
    return reply({"code": code, "message": message}, status)


def _token(archive: Archive[past.Engagement], request: Request) -> Response:
    if request.method != "POST":
        return _error(405, 405, "Method not allowed.")
    sent = dict(request.query) | dict(request.form())
    client, secret = _basic(request.headers.get("Authorization", ""))
    account = next(
        (c for c in archive.world.credentials.values() if c.zoom_client_id == client),
        None,
    )
    if account is None or account.zoom_client_secret != secret:
        reason = "Invalid client_id or client_secret"
        return reply({"reason": reason, "error": "invalid_client"}, 400)
    if sent.get("grant_type") != "account_credentials":
        reason = "unsupported grant type"
        return reply({"reason": reason, "error": "unsupported_grant_type"}, 400)
    if sent.get("account_id") != account.zoom_account_id:
        return reply({"reason": "Bad Request", "error": "invalid_request"}, 400)
    tokens = archive.world.tokens["zoom"]
    token = tokens.name(account.zoom_client_secret)
    tokens.register(token, account.alias)
    return reply(
        {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": 3600,
            "scope": "contact_center:read:voice_call_log:admin",
            "api_url": "https://api.zoom.us",
        }
    )


def _basic(header: str) -> tuple[str, str]:
    scheme, _, coded = header.partition(" ")
    try:
        text = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client, _, secret = text.partition(":")
    return (client, secret) if scheme.lower() == "basic" else ("", "")


def _list(
    archive: Archive[past.Engagement], alias: str, request: Request, listed: str
) -> Response:
    asked = dict(request.query)
    token = asked.get("next_page_token", "")
    same = tuple(sorted(p for p in request.query if p[0] != "next_page_token"))
    same = (("", listed), *same)
    size = _page_size(asked.get("page_size", "10"))
    since, until, zone = _window(archive.world, asked)
    if token:
        chain = archive.world.pages.get(token)
        fresh = chain is not None and time.monotonic() < chain.deadline
        fresh = fresh and token not in archive.world.lost_pages
        if chain is None or not fresh or (chain.alias, chain.query) != (alias, same):
            raise RefusedError("The next page token is invalid or expired.")
    else:
        rows = list(_matching(archive, alias, asked, (since, until, zone), listed))
        chains = archive.world.tokens["zoom"].issued
        Random(f"{archive.world.seed}/{chains}").shuffle(rows)
        chain = Chain(alias, same, rows, 0, time.monotonic() + TOKEN_SECONDS)
    page = chain.rows[chain.position : chain.position + size]
    return reply(
        {
            "next_page_token": _continue(archive, chain, chain.position + size),
            "page_size": size,
            "total_records": len(chain.rows),
            "from": _echo(since),
            "to": _echo(until),
            listed: [body for _, body in page],
        }
    )


def _continue(archive: Archive[past.Engagement], chain: Chain, position: int) -> str:
    if position >= len(chain.rows):
        return ""
    now = time.monotonic()
    for token in [t for t, old in archive.world.pages.items() if old.deadline < now]:
        del archive.world.pages[token]
    token = archive.world.tokens["zoom"].name("page")[:35]
    deadline = now + TOKEN_SECONDS
    archive.world.pages[token] = Chain(
        chain.alias, chain.query, chain.rows, position, deadline
    )
    return token


def _page_size(text: str) -> int:
    if not text.isdecimal() or int(text) not in PAGE_SIZES:
        raise RefusedError("Invalid field: page_size.")
    return int(text)


def _window(world: World, asked: dict[str, str]) -> tuple[datetime, datetime, tzinfo]:
    if "from" not in asked:
        return world.clock.now - timedelta(hours=24), world.clock.now, UTC
    since, zone, form = _moment(asked["from"])
    until, _, form_of_to = _moment(asked.get("to", ""))
    if form != form_of_to or until < since:
        raise RefusedError("Invalid field: to.")
    if until - since > LONGEST_WINDOW:
        raise RefusedError("The requested report exceeds the 1-month limit.")
    return since, until, zone


def _moment(text: str) -> tuple[datetime, tzinfo, str]:
    match = STAMP.fullmatch(text)
    if match is None:
        raise RefusedError("The date format is invalid.")
    day, clock, suffix = match.groups()
    literal = suffix is None or suffix == "Z"
    try:
        moment = datetime.fromisoformat(
            f"{day}T{clock or '00:00:00'}{'+00:00' if literal else suffix}"
        )
    except ValueError as error:
        raise RefusedError("The date format is invalid.") from error
    form = "date" if suffix is None else "Z" if literal else "offset"
    return moment, timezone(moment.utcoffset() or timedelta(0)), form


def _echo(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _matching(
    archive: Archive[past.Engagement],
    alias: str,
    asked: dict[str, str],
    window: tuple[datetime, datetime, tzinfo],
    listed: str,
) -> Iterator[Shown]:
    since, until, zone = window
    detail = asked.get("view_type", "summary") == "detail"
    variant = (zone, detail, listed)
    for day in days(since, until):
        for call, body in archive.shown(alias, day, variant, _render(variant)):
            wanted = asked.get("engagement_id", call.engagement_id)
            toward = asked.get("direction", call.direction)
            if (wanted, toward) != (call.engagement_id, call.direction):
                continue
            if since <= call.start <= until:
                yield call, body
                if listed == "engagements" and view.has_chat(call):
                    yield call, msgspec.Raw(encode(view.chat(call, zone)))


def _render(
    variant: tuple[tzinfo, bool, str],
) -> Callable[[past.Engagement, datetime], dict[str, object] | None]:
    zone, detail, listed = variant
    if listed == "engagements":
        return partial(view.engagement, zone=zone)
    return partial(view.record, zone=zone, detail=detail)


def truth(
    archive: Archive[past.Engagement], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every engagement listed now that starts in [since, until)."""
    with_durations = SCOPE in archive.world.scopes
    row = partial(view.truth, with_durations=with_durations)
    return archive.truths(since, until, row)
