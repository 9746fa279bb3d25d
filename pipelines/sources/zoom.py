"""Zoom Contact Center: the voice call log, and how long each part of a call took.

| stream | endpoint | grain | windows on | table |
|---|---|---|---|---|
| voice_calls | GET /contact_center/voice_calls | engagement | start | voice_calls |
| engagements | GET /contact_center/engagements | engagement | start | engagements |

Limits: HEAVY, per account and shared by all its apps: 5 requests/s and 15,000 a day
    on Pro, 10/s and 30,000 on Business+; 100 records a page; one month a window. Set
    ``daily_requests`` lower where other apps need their share of the quota.
Time: ISO 8601 with offset; the offset of ``from`` decides the offset of the answer,
    and a trailing Z is a literal character, so ``+00:00`` is written out. An
    engagement is listed only once it has ended, under its start time.
Paging: next_page_token, empty on the last page; it lives 15 minutes and is bound to
    its query, so a window is drained at once and never resumed inside.
Auth: Server-to-Server OAuth: a token of one hour, no refresh token.
Surprises: ``charge`` is text with a currency symbol and no currency: an amount in a
    symbol that contradicts the configured currency is in that symbol's currency where
    it has but one, else it is not an amount, and told of either way; every field may be
    absent; legs have no id of their own. The second list has the seconds of flow,
    queue, talk and wrap-up; it needs a scope of its own, and without it is left out.
Unverified: which timestamp from/to filter (taken: the start; settled by a call that
    spans midnight); whether the bounds are inclusive (a second more is asked, the key
    removes the copy); whether charges arrive late (the lookback reads again; settled
    by versions of one engagement in raw); whether a charge is the sum of its legs'
    (taken: yes, nothing is added to it; settled by a page of details); whether internal
    calls and those over one's own carrier have a charge (taken: none is unknown, not
    0); how far back the log reaches, and in which words an older day is refused (taken:
    "within the past" so many months, as its sibling lists say it); how the second
    list reads its dates (sent in a form that means UTC either way).
Docs: zoom.md; from the vendor's "List voice call logs" and others named there
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec
from requests.auth import HTTPBasicAuth

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError
from pipelines.extract.pagination import Listing, Page, by_token, pages, restarted
from pipelines.extract.source import (
    Endpoint,
    Source,
    SourceSettings,
    ZeroOrMore,
    client_of,
)
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window
from pipelines.sources import query

SECOND = timedelta(seconds=1)
TOO_OLD = re.compile(
    r"within the (?:last|past) \w+ (?:day|month|year)s?", re.IGNORECASE
)
"""A question can also have a bad date or span too long; those say no such thing."""

VOICE_CALLS = Stream(
    name="voice_calls",
    table="voice_calls",
    record_id="engagement_id",
    event_at="start_time",
    pending=query("zoom_pending"),
    ids_per_request=1,
    shifts=False,
    # An administrator can erase these from the log, and a leg repeats them.
    personal=(
        "consumer_number",
        "consumer_display_name",
        "caller_number",
        "callee_number",
        "voice_call_details",
    ),
)
ENGAGEMENTS = Stream(
    name="engagements",
    table="engagements",
    record_id="engagement_id",
    event_at="start_time",
    is_optional=True,
    calls="",
    shifts=False,
    lists_all_for=timedelta(),
)
STREAMS = (VOICE_CALLS, ENGAGEMENTS)


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one Zoom account can be configured with."""

    account_id: str
    client_id: str
    client_secret: str
    base_url: str = "https://api.zoom.us/v2"
    token_url: str = "https://zoom.us/oauth/token"  # noqa: S105
    engagements: bool = True
    """Whether the second list is read, where the app has its scope."""
    daily_requests: ZeroOrMore = 15_000


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's call log."""
    key = HTTPBasicAuth(settings.client_id.encode(), settings.client_secret.encode())
    sign_in = Client(
        "zoom",
        settings.token_url,
        key,
        classify_error=_classify_sign_in_error,
        is_sign_in=True,
    )
    token = partial(_token, sign_in, settings.account_id)
    auth = BearerToken(token, shared="app")
    client = client_of("zoom", settings, options, auth, _classify_error)
    lists = {VOICE_CALLS: voice_calls}
    if settings.engagements:
        lists[ENGAGEMENTS] = engagement_parts
    endpoints = [
        Endpoint(stream, partial(_in_one_go, partial(read, client, settings.page_size)))
        for stream, read in lists.items()
    ]
    return Source(client, endpoints, settings.concurrency)


def _in_one_go(
    read: Callable[[Window], Iterator[Page]], window: Window
) -> Iterator[Page]:
    """Read a window again from its start where a page token ends before its pages."""
    yield from restarted(partial(read, window))


def voice_calls(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the engagements that started in a window, or those it names."""
    # It is unverified which time the dates filter: a named one is surely between.
    before, after = (DAY, DAY) if window.ids else (SECOND, timedelta())
    listing = Listing(
        "/contact_center/voice_calls",
        records="voice_calls",
        total="total_records",
        params={
            "from": _moment(window.start - before),
            "to": _moment(window.end + after),
            "page_size": page_size,
            "view_type": "detail",
        },
        echoed={"from": window.start - before, "to": window.end + after},
    )
    place = "zoom /contact_center/voice_calls"
    for named in [{"engagement_id": one} for one in window.ids] or [{}]:
        turn = by_token("next_page_token", "next_page_token", place)
        yield from pages(client, listing.moved(named), turn, tokens_end=True)


def engagement_parts(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the engagements of every channel that started in a window."""
    listing = Listing(
        "/contact_center/engagements",
        records="engagements",
        total="total_records",
        total_is_promised=False,
        params={
            "timezone": "UTC",
            "from": f"{window.start - SECOND:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{window.end:%Y-%m-%dT%H:%M:%SZ}",
            "page_size": page_size,
        },
        echoed={"from": window.start - SECOND, "to": window.end},
    )
    place = "zoom /contact_center/engagements"
    turn = by_token("next_page_token", "next_page_token", place)
    yield from pages(client, listing, turn, tokens_end=True)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _token(sign_in: Client, account_id: str) -> tuple[str, float]:
    class Answer(msgspec.Struct):
        access_token: str
        expires_in: float

    form = {"grant_type": "account_credentials", "account_id": account_id}
    answer = sign_in.ask("POST", "", Answer, data=form)
    return answer.access_token, answer.expires_in


def _classify_sign_in_error(status: int, body: bytes) -> ApiError | None:
    """Read the token endpoint's own ``{"reason", "error"}`` (zoom.md, section 3)."""

    class Trouble(msgspec.Struct):
        error: str
        reason: str = ""

    try:
        trouble = msgspec.json.decode(body, type=Trouble)
    except msgspec.MsgspecError:
        return None
    if status not in {400, 401, 403}:
        return None
    return ApiError(
        "stop_account",
        f"refused the credentials ({trouble.error} {trouble.reason}); check "
        "account_id, client_id and client_secret",
    )


def _classify_error(status: int, body: bytes) -> ApiError | None:
    """Read the error body ``{"code", "message"}`` (zoom.md, section 9)."""

    class Trouble(msgspec.Struct):
        code: int
        message: str = ""

    try:
        trouble = msgspec.json.decode(body, type=Trouble, strict=False)
    except msgspec.MsgspecError:
        return None
    words = f"refused with code {trouble.code}: {trouble.message}"
    if trouble.code in {4700, 4711} or "not contain scope" in trouble.message:
        return ApiError("no_scope", f"{words}; grant the app this scope")
    if trouble.code == 124:  # "Invalid access token."  # noqa: PLR2004
        return ApiError("auth", f"{words}; check the credentials")
    if trouble.code == 300 and TOO_OLD.search(trouble.message):  # noqa: PLR2004
        return ApiError("expired", words)
    if status == 429 and "daily" in trouble.message:  # noqa: PLR2004
        return ApiError("stop_account", f"{words}; loaded windows stay")
    # A page token that has ended is refused as any bad parameter is.
    return ApiError("bad_request", words) if status in {200, 400, 404} else None
