"""Whippy's POST /calls/search.

Open in the document, read the hard way: both bounds are strict, newest comes first, a
page holds at most 100 however many are asked for, and a filter on the duration leaves
out calls that have none yet.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.credentials import WHIPPY_PATH
from pipelines.sandbox.whippy import history as past
from pipelines.sandbox.wire import RefusedError, Request, Response, reply
from pipelines.sandbox.world import BEGINNING, Truth, World, days, midnight

LARGEST_PAGE = 100
LIMITS = range(1, 501)
TIMEOUTS = range(15_000, 120_001)
OFFSETS = range(1_000_000_000)
MOMENTS = ("after", "before")
DURATIONS = ("min_duration", "max_duration")
SAME = (
    "agent_id",
    "agent_version_id",
    "call_completion_rating",
    "channel_id",
    "contact_id",
    "conversation_id",
    "delivery_status",
    "direction",
    "from",
    "language",
    "mode",
    "to",
)
FIELDS = {*MOMENTS, *DURATIONS, *SAME, "voicemail"}

Shown = tuple[past.Call, msgspec.Raw]


def open_archive(world: World) -> Archive[past.Call]:
    """Return the history, with nothing asked yet."""
    return Archive(
        world,
        "whippy",
        world.aliases,
        past.history,
        identity=lambda call: call.call_id,
        start=lambda call: call.created,
        correct=past.corrected,
    )


def answer(archive: Archive[past.Call], request: Request) -> Response:
    """Any request below /whippy."""
    key = request.headers.get("X-WHIPPY-KEY", "")
    accounts = archive.world.credentials.values()
    alias = next((a.alias for a in accounts if a.whippy_api_key == key), None)
    if alias is None:
        return _error(401, "Invalid API key")
    if (request.method, request.path) != ("POST", f"/whippy/v1{WHIPPY_PATH}"):
        return _error(404, "Not Found")
    try:
        return _search(archive, alias, request)
    except RefusedError as refusal:
        return _error(422, str(refusal))


def _error(status: int, description: str) -> Response:
    return reply({"errors": [{"description": description}], "status": status}, status)


def _search(archive: Archive[past.Call], alias: str, request: Request) -> Response:
    asked = dict(request.query)
    limit = _whole(asked, "limit", 50, LIMITS)
    offset = _whole(asked, "offset", 0, OFFSETS)
    _whole(asked, "timeout", 30_000, TIMEOUTS)
    filters = request.document() if request.body.strip() else {}
    if filters is None or not FIELDS.issuperset(filters):
        raise RefusedError("Invalid request body")
    now = archive.world.clock.now
    after = _moment(filters, "after", midnight(BEGINNING) - timedelta(days=1))
    before = _moment(filters, "before", now + timedelta(days=1))
    keep = _filter(filters, now)
    found = list(_matching(archive, alias, (after, before), keep))
    page = found[offset : offset + min(limit, LARGEST_PAGE)]
    return reply({"data": [body for _, body in page], "total": len(found)})


def _whole(asked: dict[str, str], name: str, default: int, allowed: range) -> int:
    text = asked.get(name, str(default))
    if not text.isdecimal() or int(text) not in allowed:
        raise RefusedError(f"Invalid value for {name}")
    return int(text)


def _moment(filters: dict[str, object], name: str, default: datetime) -> datetime:
    text = filters.get(name)
    if text is None:
        return default
    if not isinstance(text, str) or "T" not in text:
        raise RefusedError(f"Invalid format. Expected date-time: {name}")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(f"Invalid format. Expected date-time: {name}") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _filter(filters: dict[str, object], now: datetime) -> Callable[[past.Call], bool]:
    wanted = {
        name: value if isinstance(value, list) else [value]
        for name, value in filters.items()
        if name in SAME and value is not None
    }
    if isinstance(filters.get("voicemail"), bool):
        wanted["voicemail"] = [filters["voicemail"]]
    least, most = (_bound(filters, name) for name in DURATIONS)

    def keep(call: past.Call) -> bool:
        record = past.record(call, now) if wanted else None
        if record and any(record.get(n) not in v for n, v in wanted.items()):
            return False
        if least is None and most is None:
            return True
        millis = call.duration(now)
        return millis is not None and (least or 0) <= millis <= (most or millis)

    return keep


def _bound(filters: dict[str, object], name: str) -> int | None:
    value = filters.get(name)
    if value is not None and (not isinstance(value, int) or value < 0):
        raise RefusedError(f"Invalid value for {name}")
    return value


def _matching(
    archive: Archive[past.Call],
    alias: str,
    window: tuple[datetime, datetime],
    keep: Callable[[past.Call], bool],
) -> Iterator[Shown]:
    after, before = window
    for day in reversed(list(days(after, min(before, archive.world.clock.now)))):
        for call, body in reversed(archive.shown(alias, day, None, past.record)):
            if after < call.created < before and keep(call):
                yield call, body


def truth(
    archive: Archive[past.Call], since: datetime, until: datetime
) -> Iterator[Truth]:
    """Every call created in [since, until) and not after the clock."""
    return archive.truths(since, until, past.truth)
