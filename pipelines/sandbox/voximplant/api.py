"""Voximplant's GetCallHistory and GetAccountInfo.

Open in the document, read the hard way: both dates are required; without `timezone`
the account's location rules, not UTC; both bounds belong to the window, to the second;
a failure is an HTTP 200 whose body has `error`.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jwt
import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.voximplant import history as past
from pipelines.sandbox.voximplant import record as view
from pipelines.sandbox.wire import Request, Response, reply
from pipelines.sandbox.world import Truth, World, days

API = "/voximplant/platform_api"
COUNTS = range(1, 1001)
OFFSETS = range(10_001)
MOST_IDS = 1000
CLOCK_SKEW = 10
LONGEST_TOKEN = 3600
TRUE = ("true", "1")
FLAGS = {"with_calls": "false", "with_records": "false", "with_other_resources": "true"}
PLAIN_FILTERS = ("application_id", "application_name", "rule_name")

Shown = tuple[past.Session, msgspec.Raw]


class RefusedError(Exception):
    """Raised anywhere in a request; carries Voximplant's error code and message."""

    def __init__(self, code: int, message: str) -> None:
        """One of the codes of the vendor's errors page."""
        super().__init__(message)
        self.code = code


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
            options={"verify_exp": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, StopIteration) as error:
        raise RefusedError(100, "Authorization failed") from error
    issued, expires = claims.get("iat"), claims.get("exp")
    now = time.time()
    if (
        claims.get("iss") != account.voximplant_account_id
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
    }
    return reply({"result": info})


def _call_history(
    archive: Archive[past.Session], alias: str, asked: dict[str, str]
) -> Response:
    count = _whole(asked, "count", 20, COUNTS)
    offset = _whole(asked, "offset", 0, OFFSETS)
    zone = _zone(asked.get("timezone", "auto"))
    window = (_moment(asked, "from_date", zone), _moment(asked, "to_date", zone))
    found = list(_matching(archive, alias, asked, window, zone))
    if asked.get("desc_order", "false").lower() in TRUE:
        found.reverse()
    page = found[offset : offset + count]
    shown: dict[str, object] = {"result": [body for _, body in page]}
    if asked.get("with_total_count", "true").lower() in TRUE:
        shown["total_count"] = len(found)
    return reply(shown | {"count": len(page), "timezone": str(zone)})


def _whole(asked: dict[str, str], name: str, default: int, allowed: range) -> int:
    text = asked.get(name, str(default))
    if not text.isdecimal() or int(text) not in allowed:
        raise RefusedError(101, f"Invalid argument: {name}")
    return int(text)


def _zone(name: str) -> ZoneInfo:
    try:
        return past.LOCATION if name == "auto" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RefusedError(101, "Invalid argument: timezone") from error


def _moment(asked: dict[str, str], name: str, zone: ZoneInfo) -> datetime:
    if name not in asked:
        raise RefusedError(101, f"Missing argument: {name}")
    try:
        moment = datetime.strptime(asked[name], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    except ValueError as error:
        raise RefusedError(111, "Invalid date format") from error
    return moment.replace(tzinfo=zone).astimezone(UTC)


def _ids(asked: dict[str, str]) -> frozenset[int] | None:
    text = asked.get("call_session_history_id")
    if text is None:
        return None
    parts = text.split(";")
    if not all(part.isdecimal() for part in parts) or len(parts) > MOST_IDS:
        raise RefusedError(101, "Invalid argument: call_session_history_id")
    return frozenset(map(int, parts))


def _matching(
    archive: Archive[past.Session],
    alias: str,
    asked: dict[str, str],
    window: tuple[datetime, datetime],
    zone: ZoneInfo,
) -> Iterator[Shown]:
    since, until = window
    ids = _ids(asked)
    parts = tuple(asked.get(n, d).lower() in TRUE for n, d in FLAGS.items())
    legs, records, resources = parts
    render = partial(view.record, zone=zone, parts=(legs, records, resources))
    wanted = {name: asked[name] for name in PLAIN_FILTERS if name in asked}
    for day in days(since, min(until, archive.world.clock.now)):
        for call, body in archive.shown(alias, day, (str(zone), parts), render):
            if not since <= call.start <= until:
                continue
            if ids is not None and call.session_id not in ids:
                continue
            if all(str(call.facts.get(n, "")) == v for n, v in wanted.items()):
                yield call, body


def truth(
    archive: Archive[past.Session], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every session that starts in [since, until) and not after the clock."""
    return archive.truths(since, until, view.truth)
